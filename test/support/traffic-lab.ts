import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { run, runOrThrow } from '../../src/lib/process.ts';

/**
 * A bridge with two hosts (a TCP service on port 7000, and its neighbour) and another machine beside it, all network
 * namespaces with names of their own.
 */
export interface Lab extends AsyncDisposable {
  readonly target: string;
  askFromOutside(port: number): Promise<string>;
  /** The answer to a plain HTTP request; empty when there is none within a moment. */
  getFromOutside(port: number, family?: 4 | 6): Promise<string>;
  askFromNeighbour(port: number): Promise<string>;
}

const SERVE = `require('net').createServer((s) => { s.on('error', () => {}); s.write('from the lab'); }).listen(7000, () => console.log('ready'))`;
const ASK = `const s = require('net').connect(process.argv[2], process.argv[1]); s.setTimeout(4000, () => process.exit(1)); s.on('error', () => process.exit(2)); s.on('data', (d) => { console.log(String(d)); process.exit(0); })`;
const GET = `const s = require('net').connect(process.argv[2], process.argv[1], () => s.write('GET / HTTP/1.0\\r\\n\\r\\n')); s.setTimeout(1500, () => process.exit(1)); s.on('error', () => process.exit(2)); s.on('data', (d) => { console.log(String(d)); process.exit(0); })`;

export async function openLab(): Promise<Lab> {
  const id = randomBytes(2).toString('hex');
  const octet = 1 + ((randomBytes(1)[0] ?? 0) % 250);
  const [bridge, outside] = [`tl${id}b`, `tl${id}o`];
  const inner = { network: `10.215.${octet}`, hosts: [`tl${id}-1`, `tl${id}-2`] as const };
  const outer = `10.216.${octet}`;
  const outer6 = `fd00:216:${octet}:`;
  const server: { process?: ChildProcess } = {};
  const close = async (): Promise<void> => {
    server.process?.kill('SIGKILL');
    for (const name of [...inner.hosts, outside]) await run(['ip', 'netns', 'delete', name]);
    await run(['ip', 'link', 'delete', bridge]);
  };
  try {
    await ip(['link', 'add', bridge, 'type', 'bridge'], ['addr', 'add', `${inner.network}.1/24`, 'dev', bridge]);
    await ip(['link', 'set', bridge, 'up']);
    for (const [index, host] of inner.hosts.entries()) {
      await ip(
        ['netns', 'add', host],
        ['link', 'add', `tl${id}${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host],
      );
      await ip(['link', 'set', `tl${id}${index}`, 'master', bridge, 'up']);
      await configure(host, `${inner.network}.${index + 2}`, `${inner.network}.1`);
    }
    await ip(
      ['netns', 'add', outside],
      ['link', 'add', `tl${id}v`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside],
    );
    await ip(['addr', 'add', `${outer}.1/24`, 'dev', `tl${id}v`], ['link', 'set', `tl${id}v`, 'up']);
    await configure(outside, `${outer}.2`, `${outer}.1`);
    await ip(
      ['-6', 'addr', 'add', `${outer6}:1/64`, 'dev', `tl${id}v`, 'nodad'],
      ['-n', outside, '-6', 'addr', 'add', `${outer6}:2/64`, 'dev', 'eth0', 'nodad'],
    );
    server.process = spawn('ip', ['netns', 'exec', inner.hosts[0], process.execPath, '-e', SERVE]);
    if (server.process.stdout !== null) await once(server.process.stdout, 'data');
  } catch (error) {
    await close();
    throw error;
  }
  return {
    target: `${inner.network}.2`,
    askFromOutside: (port) => ask(outside, `${outer}.1`, port),
    getFromOutside: (port, family = 4) => ask(outside, family === 4 ? `${outer}.1` : `${outer6}:1`, port, GET),
    askFromNeighbour: (port) => ask(inner.hosts[1], `${inner.network}.1`, port),
    [Symbol.asyncDispose]: close,
  };
}

async function ip(...commands: readonly (readonly string[])[]): Promise<void> {
  for (const command of commands) await runOrThrow(['ip', ...command]);
}

async function configure(namespace: string, address: string, gateway: string): Promise<void> {
  await ip(
    ['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0'],
    ['-n', namespace, 'link', 'set', 'eth0', 'up'],
    ['-n', namespace, 'route', 'add', 'default', 'via', gateway],
  );
}

async function ask(namespace: string, address: string, port: number, script = ASK): Promise<string> {
  const argv = ['netns', 'exec', namespace, process.execPath, '-e', script, '--', address, String(port)];
  return (await run(['ip', ...argv], { timeoutMs: 10_000 })).stdout.trim();
}
