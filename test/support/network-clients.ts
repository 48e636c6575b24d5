import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { run } from '../../src/lib/process.ts';

/** A connection of its own for each call: node's fetch would keep them. */
export function text(url: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (body += part));
      response.on('end', () => resolve(body));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export async function ownAddresses(): Promise<readonly string[]> {
  const { stdout } = await run(['ip', '-j', '-4', 'address', 'show', 'up', 'scope', 'global']);
  const links = JSON.parse(stdout) as { addr_info?: { local?: string }[] }[];
  return links.flatMap(({ addr_info = [] }) => addr_info.flatMap(({ local }) => local ?? [])).slice(0, 2);
}

export async function startGreeter(name: string, address: string) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(name);
    socket.on('data', (data) => socket.write(`${name}: ${data.toString()}`));
  });
  server.listen(0, address);
  await once(server, 'listening');
  const target = { address, port: (server.address() as { port: number }).port };
  return { target, close: () => void server.close() };
}

export async function greet(port: number) {
  const socket = connect(port, '127.0.0.1');
  const next = async (): Promise<string> => String((await once(socket, 'data'))[0]);
  const greeting = await next();
  return {
    greeting,
    ask(question: string): Promise<string> {
      socket.write(question);
      return next();
    },
    close: () => void socket.destroy(),
  };
}

export function tellProxy(path: string, line: string): Promise<unknown> {
  const socket = connect(path);
  socket.write(`${line}\n`);
  socket.resume();
  return once(socket, 'end');
}

export async function isRunning(pid: number): Promise<boolean> {
  const { stdout } = await run(['ps', '-o', 'stat=', '-p', String(pid)]);
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}
