import { hashSync } from 'bcryptjs';
import { spawn, type ChildProcess } from 'node:child_process';
import { createPrivateKey, createSign, generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { waitFor } from './wait.ts';

const PROGRAM = '/usr/bin/docker-registry';

/** Why tests against Debian's registry cannot run here, or false. */
export function whyNoRegistry(): string | false {
  return existsSync(PROGRAM) ? false : 'needs docker-registry: package docker-registry';
}

export type RegistryAuth = 'none' | 'basic' | 'token';
export const USER = { username: 'anna', password: 'geheim' };

/** Debian's docker-registry as a process of its own on loopback, with its own folder. */
export class DebianRegistry implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'bascule-registry-'));
  readonly #auth: RegistryAuth;
  #process: ChildProcess | undefined;
  #tokens: TokenServer | undefined;
  port = 0;

  constructor(auth: RegistryAuth = 'none') {
    this.#auth = auth;
  }

  /** E.g. `127.0.0.1:40123`. */
  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get tokens(): TokenServer {
    return this.#tokens!;
  }

  async start(): Promise<this> {
    this.port = await freePort();
    if (this.#auth === 'token') this.#tokens = await new TokenServer(this.directory).start();
    const file = join(this.directory, 'config.yml');
    mkdirSync(join(this.directory, 'data'), { recursive: true });
    writeFileSync(file, JSON.stringify(this.#configuration())); // JSON is YAML
    this.#process = spawn(PROGRAM, ['serve', file], { stdio: 'ignore' });
    await waitFor(() => this.#answers(), { timeoutMs: 10_000, what: 'docker-registry answers' });
    return this;
  }

  /** Whether it stores this blob. */
  has(digest: string): boolean {
    const hex = digest.slice('sha256:'.length);
    return existsSync(join(this.directory, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#process;
    if (running !== undefined && running.exitCode === null) {
      running.kill('SIGKILL');
      await once(running, 'close');
    }
    await this.#tokens?.[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #configuration(): object {
    return {
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(this.directory, 'data') }, delete: { enabled: true } },
      http: { addr: this.host, secret: 'of the test' },
      ...this.#authentication(),
    };
  }

  #authentication(): object {
    switch (this.#auth) {
      case 'none':
        return {};
      case 'basic': {
        const path = join(this.directory, 'htpasswd');
        writeFileSync(path, `${USER.username}:${hashSync(USER.password, 4)}\n`);
        return { auth: { htpasswd: { realm: 'a realm', path } } };
      }
      case 'token': {
        const { url, certificate } = this.tokens;
        return { auth: { token: { realm: url, service: 'tests', issuer: 'tests', rootcertbundle: certificate } } };
      }
    }
  }

  async #answers(): Promise<boolean> {
    return await fetch(`http://${this.host}/v2/`).then(
      (answer) => [200, 401].includes(answer.status),
      () => false,
    );
  }
}

/** Gives tokens as the Token Authentication Specification has them: to one user, by password or refresh token. */
export class TokenServer implements AsyncDisposable {
  readonly certificate: string;
  /** What was asked for. */
  readonly requests: string[] = [];
  readonly refreshToken = randomUUID();
  lifeSeconds = 60;
  readonly #key: string;
  readonly #server: Server;

  constructor(directory: string) {
    this.#key = join(directory, 'token.key');
    this.certificate = join(directory, 'token.crt');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(this.#key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const subject = ['-subj', '/CN=tests', '-days', '2', '-key', this.#key, '-out', this.certificate];
    execFileSync('openssl', ['req', '-x509', '-new', ...subject]);
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const answer = this.#answer(request.url ?? '', {
          body: Buffer.concat(chunks).toString(),
          authorization: request.headers.authorization,
        });
        response.writeHead(answer === undefined ? 401 : 200).end(JSON.stringify(answer ?? {}));
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(url: string, o: { body: string; authorization: string | undefined }): object | undefined {
    const query = new URL(url, this.url).searchParams;
    const form = new URLSearchParams(o.body);
    this.requests.push(`${url} ${o.body}`);
    const basic = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString('base64')}`;
    const isKnown = o.authorization === basic || form.get('refresh_token') === this.refreshToken;
    if (!isKnown && (o.authorization !== undefined || form.has('refresh_token'))) return undefined;
    const scopes = [...query.getAll('scope'), ...(form.get('scope')?.split(' ') ?? [])].filter((it) => it !== '');
    const access = isKnown ? scopes.map(accessOf) : [];
    const token = this.#sign(access);
    const refresh = query.get('offline_token') === 'true' ? { refresh_token: this.refreshToken } : {};
    return { token, access_token: token, expires_in: this.lifeSeconds, ...refresh };
  }

  #sign(access: readonly object[]): string {
    const now = Math.floor(Date.now() / 1_000);
    const der = new X509Certificate(readFileSync(this.certificate)).raw.toString('base64');
    const header = { typ: 'JWT', alg: 'RS256', x5c: [der] };
    const claims = {
      ...{ iss: 'tests', sub: USER.username, aud: 'tests', jti: randomUUID(), access },
      ...{ exp: now + this.lifeSeconds, nbf: now - 5, iat: now },
    };
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const key = createPrivateKey(readFileSync(this.#key));
    return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`;
  }
}

function accessOf(scope: string): object {
  const [type = '', name = '', actions = ''] = scope.split(':');
  return { type, name, actions: actions.split(',') };
}
