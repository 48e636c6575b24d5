import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTraffic, type RouteShare, type Traffic, type TrafficOptions } from '../../src/delivery/traffic/index.ts';
import { silentLog } from '../../src/lib/log.ts';
import { run } from '../../src/lib/process.ts';
import { type Scope, scopeOf } from '../../src/lib/scope.ts';
import { type Backend, startBackend } from './backend.ts';
import { freePort } from './free-port.ts';

/** Why tests of traffic cannot run here; false when they can. */
export async function trafficSkip(): Promise<string | false> {
  const has = (program: string, flag: string): Promise<boolean> =>
    run([program, flag]).then(
      () => true,
      () => false,
    );
  const hasTools = process.getuid?.() === 0 && (await has('haproxy', '-v')) && (await has('nft', '--version'));
  return hasTools ? false : 'needs root, haproxy and nft';
}

/** Real HAProxy and nftables in a scope of their own; `blue` in lane-000, `green` in lane-001, one port to `ROUTE`. */
export interface TrafficScene extends AsyncDisposable {
  readonly scope: Scope;
  readonly traffic: Traffic;
  readonly blue: Backend;
  readonly green: Backend;
  readonly port: number;
  readonly url: string;
}

export const ROUTE = 'shop/web/80';
export const BLUE: RouteShare = { stable: 'lane-000', candidate: null, weight: 0 };
export const BOTH: RouteShare = { stable: 'lane-000', candidate: 'lane-001', weight: 0 };

/** `octet` keeps the backends of scenes apart: they listen on 127.0.<octet>.1 and .2. */
export async function openTrafficScene(octet: number, options: Partial<TrafficOptions> = {}): Promise<TrafficScene> {
  const scope = scopeOf(await mkdtemp(join(tmpdir(), 'bascule-traffic-')));
  const directory = join(scope.root, 'delivery/traffic');
  const traffic = await openTraffic({ scope, directory, log: silentLog, laneCount: 32, ...options });
  const [blue, green] = await Promise.all([
    startBackend('blue', `127.0.${octet}.1`),
    startBackend('green', `127.0.${octet}.2`),
  ]);
  const close = async (): Promise<void> => {
    await traffic.stop();
    await traffic.close();
    await blue.kill();
    await green.kill();
    await rm(scope.root, { recursive: true, force: true });
    await rm(scope.runDirectory, { recursive: true, force: true });
  };
  try {
    await traffic.ensure();
    await traffic.addInstance('lane-000', { name: 'blue-1', address: blue.address, port: blue.port });
    await traffic.addInstance('lane-001', { name: 'green-1', address: green.address, port: green.port });
    await traffic.setRoute(ROUTE, BLUE);
    const port = await freePort();
    await traffic.publishPort({ port, protocol: 'http', route: ROUTE });
    const url = `http://127.0.0.1:${port}/`;
    return { scope, traffic, blue, green, port, url, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent with its length; parts are sent in chunks. */
  readonly body?: string | readonly (string | Buffer)[];
  /** The client's own address. */
  readonly from?: string;
}

/** One request on a connection of its own. Rejects when no whole answer comes. */
export function ask(url: string, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, from } = question;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { agent: false, method, headers, ...(from === undefined ? {} : { localAddress: from }) },
      (response) => {
        const parts: string[] = [];
        response.setEncoding('utf8');
        response.on('data', (part: string) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: parts.join('') }),
        );
      },
    );
    outgoing.on('error', reject);
    if (typeof body === 'string') outgoing.setHeader('content-length', Buffer.byteLength(body));
    const parts = typeof body === 'string' ? [body] : (body ?? []);
    for (const part of parts) outgoing.write(part);
    outgoing.end();
  });
}
