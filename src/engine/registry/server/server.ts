import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { chmod, readFile, rm, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { messageOf, systemCodeOf, UserError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { ListenAddress, RegistryServerSettings, TlsFiles } from './face.ts';

type Listener = Parameters<typeof createHttpServer>[1];

const HEADERS_TIMEOUT_MS = 30_000;
/** Connections that wait to be accepted: when many come at once, those beyond it try again a second later. */
const BACKLOG = 4_096;
const KEEP_ALIVE_MS = 65_000;
const CERTIFICATE_CHECK_MS = 60_000;

export interface Listening {
  readonly server: Server | HttpsServer;
  /** e.g. `http://127.0.0.1:5000` */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * An HTTP or HTTPS server with limits: the head of a request must come in time, a body may take as long as it moves.
 * @throws UserError `registry-address-taken`, `registry-tls-invalid`
 */
export async function listenForClients(
  settings: RegistryServerSettings,
  o: { readonly listener: Listener; readonly log: Log },
): Promise<Listening> {
  const limits = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS };
  const { tls } = settings;
  const server =
    tls === undefined
      ? createHttpServer(limits, o.listener)
      : createHttpsServer({ ...limits, ...(await readTls(tls)), minVersion: 'TLSv1.2' }, o.listener);
  server.maxConnections = settings.connectionLimit;
  server.setTimeout(settings.idleTimeoutMs); // nothing moves: closed
  await bind(server, settings.listen);
  const watch = tls === undefined ? undefined : watchTls(server as HttpsServer, tls, o.log);
  return {
    server,
    address: addressOf(server, tls === undefined ? 'http' : 'https'),
    async close() {
      clearInterval(watch);
      await closeServer(server);
    },
  };
}

export async function listenOnLoopback(server: Server, listen: ListenAddress): Promise<Listening> {
  await bind(server, listen);
  return { server, address: addressOf(server, 'http'), close: () => closeServer(server) };
}

/** Replaces what a killed process left; only the owner may connect. */
export async function listenOnSocket(server: Server, path: string): Promise<Listening> {
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    server,
    address: path,
    async close() {
      await closeServer(server);
      await rm(path, { force: true });
    },
  };
}

async function bind(server: Server | HttpsServer, { host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(`${host}:${port}`, error)));
    server.listen({ host, port, backlog: BACKLOG }, resolve);
  });
}

async function closeServer(server: Server | HttpsServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function addressOf(server: Server | HttpsServer, scheme: string): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function readTls({
  certificateFile,
  keyFile,
}: TlsFiles): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  try {
    return { cert: await readFile(certificateFile), key: await readFile(keyFile) };
  } catch (cause) {
    throw wrongTls(cause);
  }
}

/** A certificate that was renewed is taken; one that cannot be read is said, and the old one stays. */
function watchTls(server: HttpsServer, files: TlsFiles, log: Log): NodeJS.Timeout {
  let seen: string | undefined;
  const look = async (): Promise<void> => {
    const times = await Promise.all(
      [files.certificateFile, files.keyFile].map(async (path) => (await stat(path)).mtimeMs),
    );
    const version = times.join(' ');
    if (seen !== undefined && seen !== version) server.setSecureContext(await readTls(files));
    seen = version;
  };
  const check = (): void => {
    look().catch((error: unknown) => log.warn({ error: messageOf(error) }, 'registry: its certificate cannot be read'));
  };
  check();
  return setInterval(check, CERTIFICATE_CHECK_MS).unref();
}

function cannotListen(address: string, cause: unknown): unknown {
  const code = systemCodeOf(cause);
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') return cause;
  return new UserError({
    code: 'registry-address-taken',
    kind: 'conflict',
    message: `the registry cannot listen on ${address} (${code})`,
    fix: 'Choose another address: `bascule daemon config set registry.listen 127.0.0.1:PORT`, or --listen.',
    cause,
  });
}

function wrongTls(cause: unknown): UserError {
  return new UserError({
    code: 'registry-tls-invalid',
    kind: 'invalid',
    message: `the registry's certificate cannot be read: ${messageOf(cause)}`,
    fix: 'Set registry.tls.certificate and registry.tls.key to PEM files that belong together.',
    cause,
  });
}
