import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../../src/lib/process.ts';
import { cannotRunDockerCli } from '../support/docker-engine.ts';
import { isInstalled } from '../support/installed.ts';
import { freePort } from '../support/free-port.ts';
import { openMachine, type Machine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

const skip = cannotRunDockerCli() || (isInstalled('skopeo') ? false : 'needs skopeo');

interface Status {
  readonly address: string;
  readonly blobs: number;
  readonly sharedBlobs: number;
  readonly blobBytes: number;
  readonly sharesEngine: boolean;
  readonly metrics?: string;
}

describe('the registry of the daemon', { skip }, () => {
  const folder = mkdtempSync('/var/tmp/bascule-registry-daemon-');
  let machine: Machine;
  let host: string;
  let engineSocket: string;
  before(async () => {
    machine = await openMachine();
    host = `127.0.0.1:${await freePort()}`;
    await machine.must(['daemon', 'config', 'set', 'registry.listen', host]);
    await machine.must(['daemon', 'config', 'set', 'registry.metrics', `127.0.0.1:${await freePort()}`]);
    await machine.must(['daemon', 'config', 'set', 'registry.grace_minutes', '0']);
    await machine.must(['daemon', 'restart']);
    engineSocket = (await machine.json<{ engineSocket: string }>(['daemon', 'status'])).engineSocket;
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    assert.deepEqual(await statusCode(host), undefined); // it ended with the daemon
    rmSync(folder, { recursive: true, force: true });
  });
  const docker = async (...words: readonly string[]): Promise<string> => {
    const argv = ['docker', '--config', join(folder, 'config'), '-H', `unix://${engineSocket}`, ...words] as const;
    const { exitCode, stdout, stderr } = await run([...argv] as [string, ...string[]], { timeoutMs: 60_000 });
    assert.equal(exitCode, 0, `docker ${words.join(' ')}: ${stderr}`);
    return stdout;
  };
  const status = (): Promise<Status> => machine.json<Status>(['registry', 'status']);

  it('takes an image of its engine without moving its bytes', async () => {
    const image = `${host}/team/app:v1`;
    await docker('tag', 'busybox', image);
    await docker('push', image);
    const found = await status();
    assert.deepEqual({ shares: found.sharesEngine, shared: found.sharedBlobs }, { shares: true, shared: 1 });
    assert.ok(found.blobBytes < 10_000, `${found.blobBytes} bytes of its own`); // the configuration only
    const [tag] = await machine.json<{ tag: string; digest: string }[]>(['registry', 'tags', 'team/app']);
    assert.equal(tag?.tag, 'v1');
    assert.deepEqual(await machine.json(['registry', 'ls']), ['team/app']);
    assert.match(await docker('search', `${host}/ap`), /^NAME[^]*\nteam\/app\s/);
    assert.doesNotMatch(await docker('search', `${host}/nothing`), /team/);
    const metrics = await (await fetch(`${found.metrics}/metrics`)).text();
    assert.match(metrics, /^bascule_registry_shared_blobs 1$/m);
  });

  it('keeps it when the image goes and the daemon is killed, and others can pull it', async () => {
    await docker('rmi', '-f', `${host}/team/app:v1`, 'busybox');
    await docker('image', 'prune', '-af');
    process.kill(await machine.daemonPid(), 'SIGKILL');
    await machine.must(['daemon', 'start']);
    await waitFor(async () => (await statusCode(host)) === 200, { timeoutMs: 10_000, what: 'the registry answers' });
    await docker('image', 'prune', '-af');
    const copy = join(folder, 'copy');
    const argv: [string, ...string[]] = ['skopeo', '--insecure-policy', 'copy', '--src-tls-verify=false'];
    const { exitCode, stderr } = await run([...argv, `docker://${host}/team/app:v1`, `dir:${copy}`]);
    assert.equal(exitCode, 0, stderr);
    const manifest = JSON.parse(readFileSync(join(copy, 'manifest.json'), 'utf8')) as { layers: { size: number }[] };
    const sizes = readdirSync(copy).map((name) => statSync(join(copy, name)).size);
    assert.ok(sizes.includes(manifest.layers[0]!.size)); // skopeo has verified the digests
    await docker('pull', `${host}/team/app:v1`);
    assert.equal(await docker('run', '--rm', '--network=none', `${host}/team/app:v1`, 'echo', 'here'), 'here\n');
  });

  it('lets go of it when its manifest goes', async () => {
    const [tag] = await machine.json<{ digest: string }[]>(['registry', 'tags', 'team/app']);
    await machine.must(['registry', 'rm', `team/app@${tag?.digest}`]);
    const wrong = await machine.run(['registry', 'rm', 'team/app:v1']);
    assert.equal(wrong.exitCode, 3, wrong.stderr);
    const foreseen = await machine.json<{ blobs: number }>(['registry', 'gc', '--dry-run']);
    assert.deepEqual(foreseen, await machine.json(['registry', 'gc']));
    assert.equal(foreseen.blobs, 2);
    assert.deepEqual(await machine.json(['registry', 'ls']), []);
    assert.equal((await status()).blobs, 0);
  });

  it('asks for passwords once there are users', async () => {
    const stdin = { launcher: ['sh', '-c', 'echo "a secret" | "$@"', 'sh'] };
    await machine.must(['registry', 'user', 'add', 'alice'], stdin);
    assert.deepEqual(await machine.json(['registry', 'user', 'ls']), ['alice']);
    await machine.must(['daemon', 'restart']);
    assert.equal(await statusCode(host), 401);
    const authorization = `Basic ${Buffer.from('alice:a secret').toString('base64')}`;
    assert.equal(await statusCode(host, { authorization }), 200);
    assert.doesNotMatch(readFileSync(join(machine.root, 'daemon.log'), 'utf8'), /a secret|Basic |Bearer /);
  });

  it('does not keep the daemon from serving when it cannot listen', async () => {
    await machine.must(['daemon', 'config', 'set', 'registry.listen', '192.0.2.1:5000']);
    await machine.must(['daemon', 'restart']);
    const refused = await machine.run(['registry', 'status']);
    assert.equal(refused.exitCode, 5, refused.stderr);
    assert.match(readFileSync(join(machine.root, 'daemon.log'), 'utf8'), /registry-address-taken/);
    const doctor = await machine.run(['doctor', '--json']);
    const checks = JSON.parse(doctor.stdout) as { name: string; state: string; detail: string }[];
    const check = checks.find(({ name }) => name === 'registry');
    assert.deepEqual([check?.state, doctor.exitCode], ['failed', 1]);
    assert.match(check?.detail ?? '', /192\.0\.2\.1:5000/);
    assert.ok((await machine.json<{ running: boolean }>(['daemon', 'status'])).running);
  });
});

function statusCode(host: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asking = request(`http://${host}/v2/`, { headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asking.on('error', () => resolve(undefined));
    asking.end();
  });
}
