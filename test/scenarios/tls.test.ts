import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { join } from 'node:path';
import { request } from 'node:http';
import { connect as connectTls } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { selfSigned } from '../../src/delivery/certificates/index.ts';
import type { CertificateView } from '../../src/server/client/index.ts';
import { run } from '../../src/lib/process.ts';
import { freePort } from '../support/free-port.ts';
import { type Machine, openMachine } from '../support/machine.ts';
import { pebbleSkip, startPebble } from '../support/pebble.ts';
import { waitFor } from '../support/wait.ts';

const noPebble = await pebbleSkip();
const HOST = 'shop.example.org';
const NAME = 'shop/web';

interface Check {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
}

/** A user's certificates, by the command line alone. */
describe('TLS', { timeout: 540_000 }, () => {
  let machine: Machine;
  let [plain, secure] = [0, 0];

  before(async () => {
    machine = await openMachine();
    [plain, secure] = [await freePort(), await freePort()];
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
  });

  const compose = (version: string, tls: string): Readonly<Record<string, string>> => ({
    'compose.yaml': `name: shop
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo version=${version} > /www/index.html && exec httpd -f -p 8000 -h /www"]
    ports: ["${plain}:8000", "${secure}:8000"]
    tmpfs: /www
    stop_grace_period: 1s
    x-bascule:
      route: {host: ${HOST}}
      tls: ${tls}
`,
  });
  const files = (): string => `{certificate: cert.pem, key: key.pem, ports: [${secure}]}`;
  const acme = (): string => `{acme: true, ports: [${secure}]}`;
  const checks = async (): Promise<readonly Check[]> =>
    JSON.parse((await machine.run(['doctor', '--json'])).stdout) as readonly Check[];
  const certificateOf = async (): Promise<Check | undefined> =>
    (await checks()).find(({ name }) => name === `certificate ${NAME}`);
  const listed = (): Promise<readonly CertificateView[]> => machine.json(['certificates']);

  it('refuses a key of another certificate before anything is changed', async () => {
    machine.write({ ...compose('1', files()), 'cert.pem': await pemOf(HOST), 'key.pem': await pemOf(HOST) });
    const { exitCode, stderr } = await machine.run(['up']);
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /services\.web\.x-bascule\.tls: the key in .*key\.pem does not belong/);
    assert.deepEqual(await machine.json<readonly unknown[]>(['ps', '--all']).catch(() => []), []);
  });

  it('refuses a certificate of another host, and files that are not there', async () => {
    const other = await pemOf('other.example.org');
    machine.write({ 'cert.pem': other, 'key.pem': other });
    assert.match((await machine.run(['up'])).stderr, /is for other\.example\.org, not for shop\.example\.org/);
    machine.write(compose('1', files().replace('key.pem', 'nowhere.pem')));
    assert.match((await machine.run(['up'])).stderr, /nowhere\.pem cannot be read \(ENOENT\)/);
  });

  it('serves own certificates, and sends plain requests there', async () => {
    const pem = await pemOf(HOST);
    machine.write({ ...compose('1', files()), 'cert.pem': pem, 'key.pem': pem });
    await machine.must(['up']);
    assert.equal(await served(secure), fingerprintOf(pem));
    assert.equal(await pageOf(secure), 'version=1\n');
    const { status, location } = await head(plain, '/a?b=c');
    assert.deepEqual([status, location], [308, `https://${HOST}:${secure}/a?b=c`]);
    assert.match((await certificateOf())?.detail ?? '', /shop\.example\.org, until 20/);
    const [shown, ...others] = await listed();
    assert.deepEqual(
      [shown?.service, shown?.hosts, shown?.source, shown?.issuer],
      [NAME, [HOST], 'file', `CN=${HOST}`],
    );
    assert.equal(shown?.fingerprint, fingerprintOf(pem).replaceAll(':', ''));
    assert.deepEqual(others, []);
    const { stdout } = await machine.must(['certificates']);
    assert.match(stdout, /^SERVICE +HOSTS +FROM +ISSUER +EXPIRES IN +RENEWAL +LAST ERROR$/m);
    assert.match(stdout, /^shop\/web +shop\.example\.org +own file +CN=shop\.example\.org +\d+ \w+ +- +-$/m);
    assert.doesNotMatch(JSON.stringify(shown), /PRIVATE/);
  });

  it('takes a new certificate without touching anything else', async () => {
    const before = await containers();
    const pem = await pemOf(HOST);
    machine.write({ 'cert.pem': pem, 'key.pem': pem });
    await machine.must(['deploy']);
    assert.equal(await served(secure), fingerprintOf(pem));
    assert.deepEqual(await containers(), before);
    assert.equal((await machine.json<{ result: string }>(['deploy'])).result, 'unchanged');
  });

  it('keeps the newest certificate in a rollback', async () => {
    const pem = await pemOf(HOST);
    machine.write({ ...compose('2', files()), 'cert.pem': pem, 'key.pem': pem });
    await machine.must(['deploy']);
    assert.equal(await pageOf(secure), 'version=2\n');
    await machine.must(['rollback']);
    assert.equal(await pageOf(secure), 'version=1\n');
    assert.equal(await served(secure), fingerprintOf(pem));
  });

  it('leaves keys nowhere but among the certificates', async () => {
    const found = await run(['grep', '-rlaE', 'PRIVATE KEY-----.{8}', machine.root, '--exclude-dir=certificates']);
    assert.deepEqual(
      found.stdout
        .trim()
        .split('\n')
        .filter((path) => path.startsWith(join(machine.root, 'delivery'))),
      [],
    );
    const log = await run(['grep', '-c', 'BEGIN', join(machine.root, 'daemon.log')]);
    assert.doesNotMatch(log.stdout, /[1-9]/);
  });

  it('takes certificates away with the project', async () => {
    await machine.must(['down']);
    assert.equal(await certificateOf(), undefined);
  });

  it('says how to allow ACME, and deploys all the same when the authority does not answer', async () => {
    machine.write(compose('1', acme()));
    assert.match((await machine.run(['up'])).stderr, /acme\.email is not set/);
    await machine.must(['daemon', 'config', 'set', 'acme.email', 'ops@example.org']);
    await machine.must(['daemon', 'config', 'set', 'acme.directory', 'https://127.0.0.1:9/dir']);
    await machine.must(['daemon', 'restart']);
    const { stderr } = await machine.must(['up']);
    assert.match(stderr, /there is no certificate for shop\.example\.org yet/);
    assert.match(stderr, /the ACME server .* does not answer/);
    assert.equal(await pageOf(secure), 'version=1\n');
    const missing = (await checks()).find(({ name }) => name === `certificate for ${HOST}`);
    assert.match(missing?.detail ?? '', /none; \d+ times in vain/);
    const [shown] = await listed();
    assert.deepEqual([shown?.service, shown?.hosts, shown?.source], [undefined, [HOST], 'acme']);
    assert.match(shown?.lastError ?? '', /does not answer/);
  });

  it('gets a certificate from an authority with the next deployment', { skip: noPebble }, async () => {
    await using pebble = await startPebble({ httpPort: plain });
    await machine.must(['daemon', 'config', 'set', 'acme.directory', pebble.directory]);
    await machine.must(['daemon', 'config', 'set', 'acme.root_certificate', pebble.rootCertificate]);
    await machine.must(['daemon', 'restart']);
    machine.write(compose('2', acme()));
    await machine.must(['deploy']);
    const own = selfSignedSubject;
    await waitFor(async () => (await subject(secure)) !== own, { timeoutMs: 30_000, what: 'a certificate' });
    assert.match((await certificateOf())?.detail ?? '', /renewal 20/);
    const [shown] = await listed();
    assert.deepEqual([shown?.service, shown?.source, shown?.failures], [NAME, 'acme', 0]);
    assert.match(shown?.issuer ?? '', /Pebble/);
    assert.ok(shown?.renewal !== undefined && shown.notAfter !== undefined && shown.renewal < shown.notAfter);
    assert.equal(await pageOf(secure), 'version=2\n');
  });

  const containers = async (): Promise<string> => JSON.stringify(await machine.json(['ps']).then(namesIn));
});

const selfSignedSubject = 'bascule.invalid';

/** Names of all instances that a value speaks of. */
function namesIn(value: unknown): readonly string[] {
  return [...JSON.stringify(value).matchAll(/"(?:name|id)":"([^"]+)"/g)].map(([, name]) => name!).sort();
}

function pemOf(host: string): Promise<string> {
  return selfSigned({ name: host, now: new Date(), days: 90 });
}

function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint;
}

async function served(port: number): Promise<string> {
  return (await peerOf(port)).fingerprint;
}

async function subject(port: number): Promise<string> {
  return (await peerOf(port)).subjectaltname?.includes(HOST) === true ? HOST : selfSignedSubject;
}

function peerOf(port: number) {
  return new Promise<ReturnType<ReturnType<typeof connectTls>['getPeerCertificate']>>((resolve, reject) => {
    const options = { port, host: '127.0.0.1', rejectUnauthorized: false, servername: HOST };
    const socket = connectTls(options, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

async function pageOf(port: number): Promise<string> {
  const where = `${HOST}:${port}:127.0.0.1`;
  return (await run(['curl', '-sk', '--max-time', '5', '--resolve', where, `https://${HOST}:${port}/`])).stdout;
}

function head(port: number, path: string): Promise<{ readonly status: number; readonly location: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, agent: false, headers: { host: `${HOST}:${port}` } };
    const outgoing = request(options, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
    });
    outgoing.on('error', reject).end();
  });
}
