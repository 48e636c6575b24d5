import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { whyNoLayers } from '../support/image-bench.ts';
import { RegistryBench } from '../support/registry-bench.ts';

/** A name that is not on loopback for the client, and is reached by the proxy of the test only. */
const NAME = 'registry.test';

describe('TLS and proxies on the way to a registry', { skip: whyNoLayers() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-tls-'));
  const file = (name: string): string => join(folder, name);
  let registry: Server;
  let proxy: Server;
  let port: number;
  let proxied: string[] = [];

  before(async () => {
    authority();
    const tls = { cert: readFileSync(file('server.crt')), key: readFileSync(file('server.key')) };
    registry = createTlsServer(
      { ...tls, ca: readFileSync(file('ca.crt')), requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const isKnown = (request.socket as unknown as { authorized: boolean }).authorized;
        response.writeHead(request.url === '/v2/' ? 200 : isKnown ? 404 : 403).end();
      },
    );
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
    port = (registry.address() as AddressInfo).port;
    proxy = createServer();
    proxy.on('connect', (request, socket) => {
      proxied.push(request.url ?? '');
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  after(() => {
    for (const server of [registry, proxy]) {
      server?.closeAllConnections();
      server?.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  function authority(): void {
    const run = (...words: string[]): unknown => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=authority', '-days', '2');
    for (const [name, alternative] of [
      ['server', `DNS:${NAME}`],
      ['client', 'DNS:client'],
    ] as const) {
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-addext', `subjectAltName=${alternative}`];
      run('req', '-x509', ...key, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', `/CN=${name}`, ...signed);
    }
  }

  const proxyEnvironment = (): Record<string, string> => ({
    HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    NO_PROXY: 'localhost',
  });

  async function pull(settings: object): Promise<UserError> {
    await using bench = await new RegistryBench({
      settings: { proxyEnvironment: proxyEnvironment(), ...settings },
    }).open();
    const error: unknown = await bench.client.pull(`${NAME}:${port}/a:1`, {}).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof UserError, String(error));
    return error;
  }

  function certificates(...names: readonly (readonly [from: string, to: string])[]): string {
    const certs = mkdtempSync(join(folder, 'certs-'));
    mkdirSync(join(certs, `${NAME}:${port}`));
    for (const [from, to] of names) copyFileSync(file(from), join(certs, `${NAME}:${port}`, to));
    return certs;
  }

  it('refuses an authority that nobody knows, and says where to put it', async () => {
    proxied = [];
    const error = await pull({});
    assert.equal(error.code, 'registry-unreachable');
    assert.match(error.message, /certificate is not trusted/);
    assert.match(error.fix, new RegExp(`certs\\.d/${NAME}:${port}/ca\\.crt`));
    assert.deepEqual(proxied, [`${NAME}:${port}`], 'by the proxy');
  });

  it("trusts an authority in certs.d, and shows the client's own certificate", async () => {
    const folders = [certificates(['ca.crt', 'ca.crt'])];
    assert.equal((await pull({ certificateFolders: folders })).code, 'registry-denied');
    const both = [certificates(['ca.crt', 'ca.crt'], ['client.crt', 'client.cert'], ['client.key', 'client.key'])];
    assert.equal((await pull({ certificateFolders: both })).code, 'manifest-unknown');
  });

  it('takes any certificate where that is listed', async () => {
    assert.equal((await pull({ insecure: [`${NAME}:${port}`] })).code, 'registry-denied');
  });

  it('goes past the proxy where NO_PROXY says so', async () => {
    proxied = [];
    const error = await pull({ proxyEnvironment: { ...proxyEnvironment(), NO_PROXY: '*' } });
    assert.deepEqual([error.code, proxied], ['registry-unreachable', []]);
  });
});
