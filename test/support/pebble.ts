import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../src/delivery/certificates/index.ts';
import { run } from '../../src/lib/process.ts';
import { freePort } from './free-port.ts';
import { waitFor } from './wait.ts';

/** Why there is no ACME server to test against; false when there is one. */
export async function pebbleSkip(): Promise<string | false> {
  const has = (program: string): Promise<boolean> =>
    run(['sh', '-c', `command -v ${program}`]).then(({ exitCode }) => exitCode === 0);
  const both = (await has('pebble')) && (await has('pebble-challtestsrv'));
  return both ? false : 'needs pebble, the ACME server for tests: Debian package pebble';
}

/** A real ACME server of our own. Every name leads to 127.0.0.1, where it fetches challenges from one port. */
export interface Pebble extends AsyncDisposable {
  readonly directory: string;
  /** The certificate of its own address. */
  readonly rootCertificate: string;
  /** SIGSTOP and SIGCONT: it is there and does not answer. */
  kill(): Promise<void>;
}

/** @param httpPort where it fetches challenges instead of port 80 */
export async function startPebble(o: {
  readonly httpPort: number;
  readonly validitySeconds?: number;
}): Promise<Pebble> {
  const folder = await mkdtemp(join(tmpdir(), 'bascule-pebble-'));
  const [port, management, dns, challengeApi] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const rootCertificate = join(folder, 'server.pem');
  const pem = await selfSigned({ name: 'localhost', now: new Date(), days: 2 });
  await writeFile(rootCertificate, pem);
  await writeFile(join(folder, 'config.json'), JSON.stringify({ pebble: configurationOf() }));
  const names = spawn('pebble-challtestsrv', [
    ...['-dns01', `127.0.0.1:${dns}`, '-defaultIPv4', '127.0.0.1', '-defaultIPv6', ''],
    ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-management', `127.0.0.1:${challengeApi}`],
  ]);
  const argv = ['-config', join(folder, 'config.json'), '-dnsserver', `127.0.0.1:${dns}`];
  const server = spawn('pebble', argv, { env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' } });
  const kill = async (): Promise<void> => {
    await Promise.all([ended(server), ended(names)]);
  };
  const directory = `https://localhost:${port}/dir`;
  const close = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitFor(() => answers(directory), { timeoutMs: 15_000, what: 'the ACME server' });
  } catch (error) {
    await close();
    throw error;
  }
  return { directory, rootCertificate, kill, [Symbol.asyncDispose]: close };

  function configurationOf(): object {
    return {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: rootCertificate,
      privateKey: rootCertificate,
      httpPort: o.httpPort,
      tlsPort: 5001,
      ocspResponderURL: '',
      externalAccountBindingRequired: false,
      ...(o.validitySeconds === undefined ? {} : { certificateValidityPeriod: o.validitySeconds }),
    };
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    outgoing.on('error', () => resolve(false)).end();
  });
}
