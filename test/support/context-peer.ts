import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extract } from 'tar-stream';
import { run } from '../../src/lib/process.ts';

/** What the real docker CLI sends of a build context: a daemon stands in for it that only lists the archive. */
export interface ContextPeer extends AsyncDisposable {
  /** Paths of the archive, folders with a slash at their end; undefined: docker refused the context. */
  pathsSent(context: string, dockerfile?: string): Promise<ReadonlySet<string> | undefined>;
}

export async function openContextPeer(): Promise<ContextPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-context-'));
  const socket = join(folder, 'docker.sock');
  let sent = new Set<string>();
  const server = createServer((request, response) => {
    if (request.url?.includes('/build') === true) {
      listArchive(request, response, sent);
      return;
    }
    response.setHeader('Api-Version', '1.43');
    response.setHeader('Builder-Version', '1');
    response.setHeader('Ostype', 'linux');
    response.end('OK');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    async pathsSent(context, dockerfile = 'Dockerfile') {
      sent = new Set();
      const { exitCode } = await run(
        ['docker', '-H', `unix://${socket}`, 'build', '-f', join(context, dockerfile), context],
        {
          env: { ...process.env, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: folder },
        },
      );
      return exitCode === 0 ? sent : undefined;
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function listArchive(request: IncomingMessage, response: ServerResponse, sent: Set<string>): void {
  const archive = extract();
  archive.on('entry', ({ name }, content, next) => {
    sent.add(name);
    content.resume();
    content.on('end', next);
  });
  archive.on('finish', () => response.end('{"stream":"listed"}\n'));
  request.pipe(archive);
}
