import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type Certificates, openCertificates } from '../../src/delivery/certificates/index.ts';
import { silentLog } from '../../src/lib/log.ts';
import { freePort } from '../support/free-port.ts';
import { type Pebble, pebbleSkip, startPebble } from '../support/pebble.ts';
import { openTrafficScene, ROUTE, type TrafficScene, trafficSkip } from '../support/traffic-scene.ts';
import { waitFor } from '../support/wait.ts';

/** Certificates from a real ACME server, which fetches its challenges through our front door. */

const skip = (await trafficSkip()) || (await pebbleSkip());
const wish = { name: 'shop/web', host: 'shop.example.org' };
const { signal } = new AbortController();

describe('certificates by ACME', { skip, timeout: 540_000 }, () => {
  let scene: TrafficScene;
  let pebble: Pebble;
  let port: number;
  let certificates: Certificates;
  let hours = 0;
  const now = (): Date => new Date(Date.now() + hours * 3_600_000);

  before(async () => {
    scene = await openTrafficScene(83);
    port = await freePort();
    await scene.traffic.publishPort({ port, protocol: 'http', route: ROUTE, tls: true });
    await scene.traffic.setRouteOptions(ROUTE, { redirectToHttps: port });
    pebble = await startPebble({ httpPort: scene.port, validitySeconds: 30 * 3_600 });
    certificates = await open(pebble);
  });

  after(async () => {
    await certificates?.close();
    await pebble?.[Symbol.asyncDispose]();
    await scene?.[Symbol.asyncDispose]();
  });

  const open = (server: Pick<Pebble, 'directory' | 'rootCertificate'>, name = 'certificates'): Promise<Certificates> =>
    openCertificates({
      directory: join(scene.scope.root, 'delivery', name),
      acme: { email: 'ops@example.org', directory: server.directory, rootCertificate: server.rootCertificate },
      ...{ frontDoor: scene.traffic, log: silentLog, now },
    });

  it('come through the front door, past redirects and applications, and serve at once', async () => {
    await certificates.obtain(wish, signal);
    const peer = await peerOf(port, wish.host);
    assert.match(peer.subjectaltname ?? '', /DNS:shop.example.org/);
    assert.match(peer.issuer.CN as string, /Pebble/);
    const [state] = certificates.states();
    assert.equal(state?.failures, 0);
    assert.ok(state !== undefined && state.notAfter !== undefined && state.next < state.notAfter);
    assert.equal(certificates.known(wish.host)?.fingerprint, peer.fingerprint.replaceAll(':', ''));
  });

  it('lie where only root reads them', async () => {
    const directory = join(scene.scope.root, 'delivery/certificates');
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    for (const name of ['account.pem', ...(await readdir(join(directory, 'acme'))).map((each) => `acme/${each}`)]) {
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    }
  });

  it('are renewed at two thirds of their life, by a daemon that was started meanwhile too', async () => {
    const before = (await peerOf(port, wish.host)).fingerprint;
    await certificates.close();
    certificates = await open(pebble);
    certificates.look(() => [wish]);
    hours = 21;
    certificates.wake();
    await waitFor(async () => (await peerOf(port, wish.host)).fingerprint !== before, {
      timeoutMs: 30_000,
      what: 'a new certificate',
    });
  });

  it('fail with a reason when the name does not lead here, and are tried again later', async () => {
    await using far = await startPebble({ httpPort: await freePort() });
    await using other = await closing(open(far, 'certificates-far'));
    await assert.rejects(other.value.obtain({ name: 'far/web', host: 'far.example.org' }, signal), {
      code: 'acme-failed',
      message: /far\.example\.org: .*(refused|connect)/i,
    });
    const [state] = other.value.states();
    assert.equal(state?.failures, 1);
    assert.ok(state !== undefined && state.next > now());
    assert.match(state.reason ?? '', /far\.example\.org/);
  });

  it('are not waited for when nobody wants them any longer, and the server says nothing', async () => {
    const asked = Promise.withResolvers<void>();
    const silent = createServer(() => asked.resolve())
      .listen(0, '127.0.0.1')
      .unref();
    await once(silent, 'listening');
    const { port: silentPort } = silent.address() as { port: number };
    const { rootCertificate } = pebble;
    await using mute = await closing(
      open({ directory: `https://127.0.0.1:${silentPort}/dir`, rootCertificate }, 'certificates-mute'),
    );
    const [cancelled, closed] = [new AbortController(), { name: 'mute/other', host: 'other.example.org' }];
    const wanted = mute.value.obtain({ name: 'mute/web', host: 'mute.example.org' }, cancelled.signal);
    const others = assert.rejects(mute.value.obtain(closed, signal), { name: 'AbortError' });
    await asked.promise;
    cancelled.abort(new Error('nobody wants it'));
    await assert.rejects(wanted, { message: 'nobody wants it' });
    await mute.value.close();
    await others;
    silent.close();
  });

  it('leave the old one where it is while the server is down', async () => {
    const before = (await peerOf(port, wish.host)).fingerprint;
    await pebble.kill();
    await assert.rejects(certificates.obtain(wish, signal), { code: 'acme-unreachable' });
    assert.equal((await peerOf(port, wish.host)).fingerprint, before);
    assert.equal(certificates.known(wish.host)?.fingerprint, before.replaceAll(':', ''));
    assert.equal(certificates.states()[0]?.failures, 1);
  });
});

async function closing(opened: Promise<Certificates>): Promise<AsyncDisposable & { readonly value: Certificates }> {
  const value = await opened;
  return { value, [Symbol.asyncDispose]: () => value.close() };
}

function peerOf(port: number, servername: string) {
  return new Promise<ReturnType<ReturnType<typeof connectTls>['getPeerCertificate']>>((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, servername }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
