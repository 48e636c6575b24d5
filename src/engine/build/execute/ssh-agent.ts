import { chmod, chown } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { MountOwner } from '../dockerfile/statement.ts';
import type { Session } from './session.ts';

/**
 * A socket of the step's own that leads to the agent: it belongs to whom the Dockerfile says, whoever owns the agent's,
 * and nobody can use it once the step is over.
 */
export async function forwardAgent(
  session: Session,
  { agent, uid, gid, mode }: MountOwner & { readonly agent: string },
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = join(await session.temporaryDirectory(), 'agent');
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  };
  const server = createServer((client) => {
    const upstream = createConnection(agent);
    keep(client);
    keep(upstream);
    // Whichever end goes first takes the other with it; an agent that is gone is an answer of its own.
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await listen(server, path);
  await chown(path, uid, gid);
  await chmod(path, mode);
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(path, () => resolve());
  });
}
