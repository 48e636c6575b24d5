import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { canaryProject } from '../support/canary-project.ts';
import { type Load, startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { type Machine, openMachine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

interface Status {
  readonly state: string;
  readonly result?: string;
  readonly stage?: { readonly stage: number; readonly weight: number };
  readonly routes: readonly { readonly weight: number }[];
}

interface Ledger {
  readonly result: string;
  readonly strategy?: string;
  readonly totals: { readonly requests: number; readonly lost: number };
}

const STEPS = (forText: string): string => `  strategy: canary
  canary:
    steps: [{weight: 20%, for: ${forText}}, {weight: 50%, for: ${forText}}]
    on_insufficient: promote`;

/** A user's canaries, by the command line alone. */
describe('canaries', { timeout: 600_000 }, () => {
  let machine: Machine;
  let port: number;
  let load: Load | undefined;

  before(async () => {
    machine = await openMachine();
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await load?.stop();
    load = undefined;
    await machine.must(['down', '--volumes']);
  });

  const first = async (settings: string): Promise<void> => {
    port = await freePort();
    machine.write(canaryProject({ port, version: '1', settings }));
    await machine.must(['up']);
    load = await startLoad({
      url: `http://127.0.0.1:${port}/cgi-bin/answer`,
      connections: 8,
      ratePerSecond: 60,
      newConnectionShare: 0.5,
      version: { from: 'body', pattern: 'version=(\\w+)' },
    });
  };
  const status = (): Promise<Status> => machine.json<Status>(['rollout', 'status']);
  const settled = async (state: (now: Status) => boolean, what: string): Promise<Status> => {
    let seen: Status | undefined;
    await waitFor(async () => state((seen = await status())), { timeoutMs: 60_000, intervalMs: 200, what });
    return seen!;
  };
  const answers = async (headers: Record<string, string> = {}): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/cgi-bin/answer`, { headers });
    return /version=(\w+)/.exec(await response.text())?.[1] ?? `status ${response.status}`;
  };

  it('grow step by step while all is well, and lose nothing', async () => {
    await first(STEPS('3s'));
    machine.write(canaryProject({ port, version: '2', settings: STEPS('3s') }));
    await machine.must(['deploy']);
    assert.equal(await answers(), '2');
    const report = await load!.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    const ledger = await machine.json<Ledger>(['ledger']);
    assert.deepEqual([ledger.result, ledger.totals.lost], ['switched', 0]);
    assert.ok(ledger.totals.requests > 100);
  });

  it('are taken back when they fail, and almost nobody noticed', async () => {
    await first(STEPS('60s'));
    machine.write(canaryProject({ port, version: '2', failing: 50, settings: STEPS('60s') }));
    const result = await machine.run(['deploy']);
    assert.notEqual(result.exitCode, 0, result.stdout);
    assert.match(result.stderr, /worse/);
    assert.match(result.stderr, /release \d+ serves as before/);
    const report = await load!.stop();
    const failed = report.losses['app-error'];
    assert.equal(report.lost, failed, 'only what the new version itself answered with 500');
    assert.ok(failed < report.requests / 5, `${failed} of ${report.requests}`);
    assert.equal(await answers(), '1');
  });

  it('are taken back when they are slow', async () => {
    await first(STEPS('60s'));
    machine.write(canaryProject({ port, version: '2', slowSeconds: 1, settings: STEPS('60s') }));
    const result = await machine.run(['deploy']);
    assert.notEqual(result.exitCode, 0, result.stdout);
    assert.match(result.stderr, /slow/);
    assert.equal((await load!.stop()).lost, 0);
    assert.equal(await answers(), '1');
  });

  it('can be watched, held, given another weight, sent on and called off', async () => {
    await first(STEPS('10m'));
    machine.write(canaryProject({ port, version: '2', settings: STEPS('10m') }));
    await machine.must(['deploy', '--detach']);
    await settled(({ stage }) => stage?.stage === 1, 'the first stage');
    await machine.must(['rollout', 'weight', '70%']);
    await settled(({ routes }) => routes.every(({ weight }) => weight === 7_000), 'the weight is set');
    await machine.must(['rollout', 'resume']);
    await machine.must(['rollout', 'pause']);
    assert.equal((await status()).state, 'paused');
    const second = await machine.run(['deploy']);
    assert.equal(second.exitCode, 4, second.stderr);
    await machine.must(['rollout', 'promote']);
    const ended = await settled(({ state }) => state === 'ended', 'the end');
    assert.equal(ended.result, 'switched');
    assert.equal(await answers(), '2');

    machine.write(canaryProject({ port, version: '3', settings: STEPS('10m') }));
    await machine.must(['deploy', '--detach']);
    await settled(({ stage }) => stage?.stage === 1, 'the first stage');
    await machine.must(['rollout', 'abort']);
    assert.equal((await settled(({ state }) => state === 'ended', 'the end')).result, 'undone');
    assert.equal(await answers(), '2');
    const none = await machine.run(['rollout', 'pause']);
    assert.equal(none.exitCode, 4, none.stderr);
    assert.equal((await load!.stop()).lost, 0);
  });

  it('show themselves to their cohort only, and survive a killed daemon', async () => {
    const cohort = `${STEPS('10m')}\n    cohorts: [{header: X-Team, value: qa}]`.replace('weight: 20%', 'weight: 0%');
    await first(cohort);
    machine.write(canaryProject({ port, version: '2', settings: cohort }));
    await machine.must(['deploy', '--detach']);
    await settled(({ stage }) => stage?.stage === 1, 'the first stage');
    assert.equal(await answers({ 'X-Team': 'qa' }), '2');
    assert.equal(await answers({ 'X-Team': 'dev' }), '1');
    process.kill(await machine.daemonPid(), 'SIGKILL');
    assert.equal(await answers({ 'X-Team': 'qa' }), '2', 'while no daemon runs');
    await machine.must(['daemon', 'start']);
    assert.equal((await settled(({ stage }) => stage !== undefined, 'the stage again')).stage?.stage, 1);
    await machine.must(['rollout', 'promote']);
    await settled(({ state }) => state === 'ended', 'the end');
    assert.equal(await answers({ 'X-Team': 'dev' }), '2');
    assert.equal((await load!.stop()).lost, 0);
  });
});
