import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readdir, stat } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { parsePair, selfSigned } from '../../src/delivery/certificates/index.ts';
import { openTraffic, type Certificate } from '../../src/delivery/traffic/index.ts';
import type { UserError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { run } from '../../src/lib/process.ts';
import { freePort } from '../support/free-port.ts';
import { isRunning, tellProxy } from '../support/network-clients.ts';
import { ask, openTrafficScene, ROUTE, type TrafficScene, trafficSkip } from '../support/traffic-scene.ts';
import { waitFor } from '../support/wait.ts';

/** TLS on published ports, with real HAProxy. */

const skip = await trafficSkip();
const OTHER = 'blog/web/80';

describe('TLS on published ports', { skip, timeout: 540_000 }, () => {
  let scene: TrafficScene;
  let port: number;

  before(async () => {
    scene = await openTrafficScene(81);
    port = await freePort();
    const { traffic } = scene;
    await traffic.setRoute(OTHER, { stable: 'lane-001', candidate: null, weight: 0 });
    await traffic.publishPort({ port, protocol: 'http', route: ROUTE, host: 'shop.test', tls: true });
    await traffic.publishPort({ port, protocol: 'http', route: OTHER, host: '*.blog.test', tls: true });
    await traffic.installCertificate(await certificateFor('shop/web', 'shop.test'));
    await traffic.installCertificate(await certificateFor('blog/web', '*.blog.test'));
  });

  after(async () => {
    await scene?.[Symbol.asyncDispose]();
  });

  it('gives each host its certificate, and strangers one that nobody trusts', async () => {
    assert.equal(await subjectFor(port, 'shop.test'), 'shop.test');
    assert.equal(await subjectFor(port, 'a.blog.test'), '*.blog.test');
    assert.equal(await subjectFor(port, 'else.test'), 'bascule.invalid');
    assert.equal(await subjectFor(port, undefined), 'bascule.invalid');
  });

  it('leads to the route of the host, on IPv6 too, and says that it was https', async () => {
    const { text, headers } = await askTls(port, 'shop.test', '/echo');
    assert.equal((JSON.parse(text) as { version: string }).version, 'blue');
    assert.equal((JSON.parse(text) as { headers: Record<string, string> }).headers['x-forwarded-proto'], 'https');
    assert.ok(headers !== undefined);
    assert.equal((await askTls(port, 'a.blog.test', '/')).text, 'green');
    const ipv6 = await curl(['-6', '--resolve', `shop.test:${port}:[::1]`, `https://shop.test:${port}/`]);
    assert.equal(ipv6, 'blue');
  });

  it('speaks HTTP/2 where the client does', async () => {
    const version = await curl([
      ...['--http2', '-o', '/dev/null', '-w', '%{http_version}'],
      ...['--resolve', `shop.test:${port}:127.0.0.1`, `https://shop.test:${port}/`],
    ]);
    assert.equal(version, '2');
  });

  it('takes nothing older than TLS 1.2', async () => {
    const argv = ['s_client', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0', '-connect', `127.0.0.1:${port}`];
    const { exitCode } = await run(['openssl', ...argv], { input: '' });
    assert.notEqual(exitCode, 0);
  });

  it('carries WebSockets', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, {
      ...{ rejectUnauthorized: false, servername: 'shop.test', headers: { host: 'shop.test' } },
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.terminate();
  });

  it('replaces a certificate under load: nothing lost, the same process', async () => {
    const { traffic } = scene;
    const { pid } = await traffic.observe();
    const ended = new AbortController();
    let [answered, lost] = [0, 0];
    const clients = Array.from({ length: 4 }, async () => {
      while (!ended.signal.aborted) {
        const ok = await askTls(port, 'shop.test', '/').then(
          ({ text }) => text === 'blue',
          () => false,
        );
        if (ok) answered++;
        else lost++;
      }
    });
    for (let round = 0; round < 10; round++) {
      const fresh = await certificateFor('shop/web', 'shop.test');
      await traffic.installCertificate(fresh);
      assert.equal(await fingerprintFor(port, 'shop.test'), fresh.fingerprint);
    }
    ended.abort();
    await Promise.all(clients);
    assert.equal(lost, 0);
    assert.ok(answered > 20, `${answered} requests were answered`);
    assert.equal((await traffic.observe()).pid, pid);
  });

  it('moves a certificate to other hosts, and takes it away', async () => {
    const { traffic } = scene;
    const certificate = await certificateFor('wiki/web', 'wiki.test');
    await traffic.installCertificate(certificate);
    assert.equal(await subjectFor(port, 'wiki.test'), 'wiki.test');
    await traffic.installCertificate({ ...certificate, hosts: ['docs.test'] });
    assert.equal(await subjectFor(port, 'docs.test'), 'wiki.test');
    assert.equal(await subjectFor(port, 'wiki.test'), 'bascule.invalid');
    await traffic.installCertificate({ ...certificate, hosts: [], isDefault: true });
    assert.equal(await subjectFor(port, 'else.test'), 'wiki.test');
    await traffic.removeCertificate('wiki/web');
    assert.equal(await subjectFor(port, 'else.test'), 'bascule.invalid');
    assert.equal(await subjectFor(port, 'wiki.test'), 'bascule.invalid');
  });

  it('refuses what the proxy refuses, and keeps what was', async () => {
    const { traffic } = scene;
    const [own, other] = [await certificateFor('shop/web', 'shop.test'), await certificateFor('shop/web', 'shop.test')];
    const before = await fingerprintFor(port, 'shop.test');
    const mixed = own.pem.replace(/-----BEGIN PRIVATE[^]*/, /-----BEGIN PRIVATE[^]*/.exec(other.pem)![0]);
    for (const name of ['shop/web', 'new/web']) {
      await assert.rejects(traffic.installCertificate({ ...own, name, pem: mixed }), (error: Error) => {
        assert.equal((error as UserError).code, 'proxy-refused');
        assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), /PRIVATE/);
        return true;
      });
    }
    assert.equal(await fingerprintFor(port, 'shop.test'), before);
    assert.deepEqual(
      traffic.certificates().map(({ name }) => name),
      ['blog/web', 'shop/web'],
    );
    await traffic.installCertificate(await certificateFor('shop/web', 'shop.test'));
    assert.notEqual(await fingerprintFor(port, 'shop.test'), before);
  });

  it('sends plain requests to https, with path and query, and no request in circles', async () => {
    const { traffic } = scene;
    await traffic.setRouteOptions(ROUTE, { redirectToHttps: true });
    const usual = await ask(`${scene.url}a/b?c=1&d=2`, { headers: { host: 'shop.test' } });
    assert.deepEqual([usual.status, usual.headers.location], [308, 'https://shop.test/a/b?c=1&d=2']);
    await traffic.setRouteOptions(ROUTE, { redirectToHttps: port });
    const elsewhere = await ask(`${scene.url}a/b?c=1`, { headers: { host: `shop.test:${scene.port}` } });
    assert.deepEqual([elsewhere.status, elsewhere.headers.location], [308, `https://shop.test:${port}/a/b?c=1`]);
    assert.equal((await askTls(port, 'shop.test', '/')).text, 'blue');
    await traffic.setRouteOptions(ROUTE, {});
  });

  it('answers challenges on every published port, before any application', async () => {
    const { traffic } = scene;
    const path = '.well-known/acme-challenge/tok-1';
    assert.equal((await ask(`${scene.url}${path}`)).text, 'blue');
    await traffic.setChallenge('tok-1', 'tok-1.thumb_print');
    assert.equal((await ask(`${scene.url}${path}`)).text, 'tok-1.thumb_print');
    assert.equal((await askTls(port, 'else.test', `/${path}`)).text, 'tok-1.thumb_print');
    await traffic.setChallenge('tok-1', null);
    assert.equal((await ask(`${scene.url}${path}`)).text, 'blue');
  });

  it('refuses a port that speaks otherwise for another project', async () => {
    const wanted = { port, protocol: 'http', route: 'wiki/web/80', host: 'wiki.test' } as const;
    await assert.rejects(scene.traffic.publishPort(wanted), { code: 'port-published', message: /speaks TLS/ });
  });

  it('brings all certificates back after the proxy was killed', async () => {
    const { traffic } = scene;
    const { pid } = await traffic.observe();
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => !(await isRunning(pid)), { timeoutMs: 5_000, what: 'the end of the proxy' });
    await waitFor(async () => (await subjectFor(port, 'shop.test').catch(() => '')) === 'shop.test', {
      timeoutMs: 10_000,
      what: 'the certificate of shop.test',
    });
    assert.equal(await subjectFor(port, 'a.blog.test'), '*.blog.test');
  });

  it('puts right what a daemon before it left undone', async () => {
    const { scope, traffic } = scene;
    const list = join(scope.runDirectory, 'haproxy/certificates.list');
    const file = join(scope.runDirectory, 'haproxy/certificates/blog~web.pem');
    const socket = join(scope.runDirectory, 'haproxy/admin.sock');
    await tellProxy(socket, `del ssl crt-list ${list} ${file}; del ssl cert ${file}; new ssl cert ${file}x`);
    assert.equal(await subjectFor(port, 'a.blog.test'), 'bascule.invalid');
    await traffic.ensure();
    assert.equal(await subjectFor(port, 'a.blog.test'), '*.blog.test');
  });

  it('keeps keys where only root reads them, and a second daemon finds them', async () => {
    const { scope } = scene;
    const directory = join(scope.root, 'delivery/traffic/certificates');
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    for (const name of await readdir(directory)) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
    assert.deepEqual(
      await readdir(join(scope.runDirectory, 'haproxy')).then((all) => all.filter((name) => name === 'certificates')),
      [],
    );
    const second = await openTraffic({
      scope,
      directory: join(scope.root, 'delivery/traffic'),
      log: silentLog,
      laneCount: 32,
    });
    const names = (await second.observe()).certificates.map(({ name }) => name);
    await second.close();
    assert.deepEqual(names, ['blog/web', 'shop/web']);
    assert.doesNotMatch(JSON.stringify(await scene.traffic.observe()), /PRIVATE/);
  });
});

async function certificateFor(name: string, host: string): Promise<Certificate> {
  const { pem, fingerprint } = parsePair(await selfSigned({ name: host, now: new Date(), days: 30 }));
  return { name, hosts: [host], fingerprint, pem, isDefault: false, notAfterMs: Date.now() + 86_400_000 };
}

async function subjectFor(port: number, host: string | undefined): Promise<string> {
  return (await peerOf(port, host)).subject.CN as string;
}

async function fingerprintFor(port: number, host: string): Promise<string> {
  return (await peerOf(port, host)).fingerprint.replaceAll(':', '');
}

function peerOf(port: number, servername: string | undefined) {
  return new Promise<ReturnType<ReturnType<typeof connectTls>['getPeerCertificate']>>((resolve, reject) => {
    const name = servername === undefined ? {} : { servername };
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...name }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

function askTls(port: number, host: string, path: string): Promise<{ text: string; headers: object }> {
  return new Promise((resolve, reject) => {
    const options = { port, path, agent: false, servername: host, headers: { host }, rejectUnauthorized: false };
    const outgoing = request({ host: '127.0.0.1', ...options }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ text, headers: response.headers })).on('error', reject);
    });
    outgoing.on('error', reject).end();
  });
}

async function curl(args: readonly string[]): Promise<string> {
  return (await run(['curl', '-sk', '--max-time', '5', ...args])).stdout;
}
