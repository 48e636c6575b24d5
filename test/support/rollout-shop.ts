import { once } from 'node:events';
import { connect } from 'node:net';
import type { DeliveryScene } from './delivery-scene.ts';
import { type Load, startLoad } from './load.ts';

export interface Shop {
  readonly name: string;
  readonly port: number;
  readonly version: string;
  /** Keys of the service `web`, and whole services. */
  readonly web?: string;
  readonly more?: string;
  readonly settings?: string;
  /** The shell command of the web server; `$V` is the version. */
  readonly command?: string;
}

export const SERVE = 'mkdir -p /tmp/w && echo version=$V > /tmp/w/index.html && exec httpd -f -p 8000 -h /tmp/w';

/** Two web servers with a health check; all of busybox. */
export function shop({ name, port, version, web = '', more = '', settings = '', command = SERVE }: Shop): string {
  return `
name: ${name}
x-bascule: {health_timeout: 15s${settings}}
services:
  web:
    image: busybox
    command: ["sh", "-c", ${JSON.stringify(command.replaceAll('$V', version).replaceAll('$', '$$'))}]
    ports: ["${port}:8000"]
    stop_grace_period: 1s
    deploy: {replicas: 2}
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"]
      interval: 300ms
      retries: 4
${web}
${more}`;
}

export const DATABASE = (command: string): string => `
  db:
    image: busybox
    command: ["sh", "-c", "echo ${command} >> /data/starts; exec httpd -f -p 9000 -h /data"]
    volumes: ["data:/data"]
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9000/starts"], interval: 300ms, retries: 10}
volumes: {data: {}}
`;

export async function underLoad(port: number): Promise<Load & AsyncDisposable> {
  const load = await startLoad({
    url: `http://127.0.0.1:${port}/`,
    connections: 4,
    ratePerSecond: 200,
    newConnectionShare: 0.3,
    version: { from: 'body', pattern: 'version=(\\S+)' },
  });
  return { ...load, [Symbol.asyncDispose]: async () => void (await load.stop()) };
}

export async function textAt(port: number): Promise<string> {
  return (await (await fetch(`http://127.0.0.1:${port}/`)).text()).trim();
}

/** How often the database was started, and as what. */
export async function starts(scene: DeliveryScene, project: string): Promise<readonly string[]> {
  const text = await output(scene, project, ['cat', '/data/starts'], 'db');
  return text.split('\n');
}

export async function output(
  scene: DeliveryScene,
  project: string,
  args: readonly string[],
  service = 'web',
): Promise<string> {
  const session = await scene.delivery.exec({ project, service, args, tty: false, attachStdin: false });
  return await textOf(session.output);
}

export async function textOf(source: AsyncIterable<{ readonly data: Buffer }>): Promise<string> {
  let text = '';
  for await (const { data } of source) text += data.toString('utf8');
  return text.trim();
}

/** On a connection of its own. */
export async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  const [event] = await Promise.race([once(socket, 'connect').then(() => ['yes']), once(socket, 'error')]).catch(() => [
    'no',
  ]);
  socket.destroy();
  return event === 'yes';
}
