import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { canaryProject } from '../support/canary-project.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { type Machine, openMachine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

interface View {
  readonly release?: number;
  readonly instances: readonly {
    readonly name: string;
    readonly service: string;
    readonly role: string;
    readonly isOut?: boolean;
  }[];
}

interface Status {
  readonly state: string;
  readonly result?: string;
  readonly note?: string;
}

interface Plan {
  readonly steps: readonly { readonly kind: string; readonly title: string }[];
}

/** Rolling, blue-green with a preview, other images and numbers of instances: by the command line alone, under load. */
describe('strategies', { timeout: 600_000 }, () => {
  let machine: Machine;
  let port: number;

  before(async () => {
    machine = await openMachine();
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await machine.must(['down', '--volumes']);
  });

  const write = (version: string, more: Partial<Parameters<typeof canaryProject>[0]> = {}): void =>
    machine.write(canaryProject({ port, version, ...more }));
  const load = () =>
    startLoad({
      url: `http://127.0.0.1:${port}/`,
      connections: 4,
      ratePerSecond: 100,
      newConnectionShare: 0.5,
      version: { from: 'body', pattern: 'version=(\\w+)' },
    });
  const answer = async (headers: Record<string, string> = {}): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers });
    return /version=(\w+)/.exec(await response.text())?.[1] ?? `status ${response.status}`;
  };
  const current = async (): Promise<readonly string[]> =>
    (await machine.json<View>(['ps'])).instances.filter(({ role }) => role === 'current').map(({ name }) => name);

  it('rolling replaces instance by instance, never fewer than declared, and takes back what fails', async () => {
    port = await freePort();
    const settings = '  strategy: rolling';
    write('1', { replicas: 3, settings });
    await machine.must(['up']);
    await using running = await load();
    write('2', { replicas: 3, settings });
    const plan = await machine.json<Plan>(['deploy', '--dry-run']);
    assert.equal(plan.steps.filter(({ kind }) => kind === 'set-weights').length >= 2, true, JSON.stringify(plan.steps));
    await machine.must(['deploy']);
    assert.equal(await answer(), '2');
    assert.equal((await current()).length, 3);
    write('3', { replicas: 3, settings, web: '    entrypoint: ["sh", "-c", "exit 3"]' });
    const bad = await machine.run(['deploy']);
    assert.notEqual(bad.exitCode, 0);
    assert.match(bad.stderr, /serves as before/);
    await machine.must(['rollback']);
    assert.equal(await answer(), '1');
    const report = await running.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
  });

  it('blue-green shows a preview, and waits for a person where that is declared', async () => {
    port = await freePort();
    const settings = '  preview: {header: X-Preview, value: s3cret}\n  confirm: true';
    write('1', { settings });
    await machine.must(['up']);
    write('2', { settings });
    await machine.must(['deploy', '--detach']);
    await waitFor(async () => (await machine.json<Status>(['rollout', 'status'])).state === 'waiting', {
      timeoutMs: 30_000,
      intervalMs: 200,
      what: 'it waits for a person',
    });
    assert.equal(await answer(), '1');
    assert.equal(await answer({ 'X-Preview': 's3cret' }), '2');
    assert.equal(await answer({ 'X-Preview': 'guess' }), '1');
    await machine.must(['rollout', 'promote']);
    await waitFor(async () => (await answer()) === '2', { timeoutMs: 20_000, intervalMs: 100, what: 'the switch' });
    await waitFor(async () => (await machine.json<Status>(['rollout', 'status'])).state === 'ended', {
      timeoutMs: 20_000,
      intervalMs: 100,
      what: 'the end',
    });
    await machine.must(['rollback']);
    assert.equal(await answer({ 'X-Preview': 's3cret' }), '1', 'the preview is over');
  });

  it('scale starts and takes away instances without touching the others; another image is one command', async () => {
    port = await freePort();
    write('1');
    await machine.must(['up']);
    await using running = await load();
    const two = await current();
    await machine.must(['scale', 'web=4']);
    const four = await current();
    assert.equal(four.length, 4);
    assert.ok(two.every((name) => four.includes(name)));
    await machine.must(['scale', 'web=1']);
    assert.equal((await current()).length, 1);
    await machine.must(['scale', 'web=2']);

    write('2');
    await machine.must(['build']);
    await machine.must(['set', 'image', 'web=canary-web']);
    assert.equal(await answer(), '2');
    assert.equal((await current()).length, 2, 'the number of instances stays');
    const diff = await machine.must(['releases', 'diff', '4', '5']);
    assert.match(diff.stdout, /services\.web\.image/);
    const wrong = await machine.run(['scale', 'wep=2']);
    assert.match(wrong.stderr, /Did you mean "web"/);
    await machine.must(['rollback']);
    assert.equal(await answer(), '1');
    const report = await running.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
  });

  it('an instance is taken out of traffic, stays out, and is put back', async () => {
    port = await freePort();
    write('1');
    await machine.must(['up']);
    await using running = await load();
    const [first, second] = await current();
    await machine.must(['traffic', 'out', first!]);
    const view = await machine.json<View>(['ps']);
    assert.equal(view.instances.find(({ name }) => name === first)?.isOut, true);
    const last = await machine.run(['traffic', 'out', second!]);
    assert.notEqual(last.exitCode, 0);
    assert.match(last.stderr, /only instance/);
    await machine.must(['traffic', 'in', first!]);
    await machine.must(['traffic', 'out', second!]);
    assert.equal(await answer(), '1');
    const report = await running.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
  });
});
