/** A process that a network test runs inside a namespace: it serves, asks or resolves, and prints one line. */
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, createServer } from 'node:net';

const TIMEOUT_MS = 1_000;
const [action = '', ...args] = process.argv.slice(2);

switch (action) {
  case 'serve':
    serve(args[0] ?? '', { port: Number(args[1]), name: args[2] ?? '', host: args[3] ?? '0.0.0.0' });
    break;
  case 'ask':
    console.log(await (args[0] === 'udp' ? askUdp : askTcp)(args[1] ?? '', Number(args[2])));
    process.exit();
    break;
  case 'resolve':
    console.log(await resolve(args[0] ?? '', args[1] ?? '', args[2] ?? 'A'));
    break;
  case 'hammer':
    console.log(await hammer(args[0] ?? '', args[1] ?? '', Number(args[2])));
    break;
  default:
    throw new Error(`unknown action "${action}"`);
}

function serve(protocol: string, o: { port: number; name: string; host: string }): void {
  const { port, name, host } = o;
  if (protocol === 'tcp') {
    createServer((socket) => socket.on('error', () => {}).end(`${name} ${socket.remoteAddress}`)).listen(
      { host, port },
      () => console.log('ready'),
    );
    return;
  }
  const socket = createSocket('udp4');
  socket.on('message', (_, from) => socket.send(`${name} ${from.address}`, from.port, from.address));
  socket.bind(port, host, () => console.log('ready'));
}

function askTcp(host: string, port: number): Promise<string> {
  return new Promise((done) => {
    let text = '';
    const socket = connect({ host, port });
    socket.setTimeout(TIMEOUT_MS, () => done('ETIMEDOUT'));
    socket.on('data', (data) => (text += data.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.on('end', () => done(text));
  });
}

function askUdp(host: string, port: number): Promise<string> {
  return new Promise((done) => {
    const socket = createSocket('udp4');
    socket.on('message', (message) => done(message.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.connect(port, host, () => socket.send('hello'));
    setTimeout(() => done('ETIMEDOUT'), TIMEOUT_MS);
  });
}

async function resolve(server: string, name: string, type: string): Promise<string> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([server]);
  try {
    return ((await resolver.resolve(name, type)) as unknown as string[]).sort().join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function hammer(server: string, name: string, ms: number): Promise<string> {
  const end = performance.now() + ms;
  let asked = 0;
  let failed = 0;
  while (performance.now() < end) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => resolve(server, name, 'A')));
    asked += answers.length;
    failed += answers.filter((answer) => !/^[\d. ]+$/.test(answer)).length;
  }
  return `${failed} failed of ${asked}`;
}
