import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ControlRequest, RolloutOutcome, RolloutStatus } from '../../src/delivery/rollout/index.ts';
import { UserError } from '../../src/lib/errors.ts';
import { type CanaryProject, canaryProject } from '../support/canary-project.ts';
import { type DeliveryScene, openScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { type Load, startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { prometheusSkip, startPrometheus } from '../support/prometheus.ts';
import { waitFor } from '../support/wait.ts';

/** Canaries over a real engine and a real HAProxy: what is decided, and how it is steered. */

const noPrometheus = await prometheusSkip();
const [engine] = (await enginesUnderTest()).filter(({ skip }) => skip === false);

describe('canaries', { skip: engine === undefined ? 'needs an engine' : false, timeout: 540_000 }, () => {
  let scene: DeliveryScene;
  let port: number;
  let load: Load | undefined;
  let cancel: AbortController;

  beforeEach(async () => {
    cancel = new AbortController();
    port = await freePort();
  });
  afterEach(async () => {
    cancel.abort();
    await waitFor(() => scene.delivery.running('canary') === undefined, { timeoutMs: 30_000, what: 'it is undone' });
    await load?.stop();
    load = undefined;
  });
  sceneForEach(engine, (opened) => {
    scene = opened;
  });

  /** A release, and traffic on it. */
  const first = async (project: Partial<CanaryProject> = {}): Promise<void> => {
    await scene.deploy(written(scene.root, { port, version: '1', ...project }));
    load = await startLoad({
      url: `http://127.0.0.1:${port}/cgi-bin/answer`,
      connections: 6,
      ratePerSecond: 100,
      newConnectionShare: 0.5,
      version: { from: 'body', pattern: 'version=(\\w+)' },
    });
  };
  const deploy = (project: Partial<CanaryProject>): Promise<RolloutOutcome | UserError> =>
    scene.deploy(written(scene.root, { port, version: '2', ...project }), {}, cancel.signal).catch((error: unknown) => {
      assert.ok(error instanceof UserError, String(error));
      return error;
    });
  const status = (): Promise<RolloutStatus> => scene.delivery.status('canary');
  const until = async (is: (seen: RolloutStatus) => boolean, what: string): Promise<RolloutStatus> => {
    let seen: RolloutStatus | undefined;
    const describeIt = (): string => `${what}; ${JSON.stringify({ ...seen, steps: undefined })}`;
    await waitFor(async () => is((seen = await status())), { timeoutMs: 60_000, what }).catch(() =>
      assert.fail(describeIt()),
    );
    return seen!;
  };
  const control = (action: ControlRequest['action']): RolloutStatus =>
    scene.delivery.control({ project: 'canary', author: 'ann', action });
  const refusal = (action: ControlRequest['action']): string => {
    try {
      control(action);
    } catch (error) {
      return error instanceof UserError ? error.code : String(error);
    }
    return 'taken';
  };
  /** The old release serves as before, and nothing was lost but what the new one itself answered. */
  const assertUndone = async (seen: RolloutOutcome | UserError, code: string): Promise<RolloutOutcome> => {
    assert.ok(seen instanceof UserError, JSON.stringify(seen));
    const outcome = seen.details['outcome'] as RolloutOutcome;
    assert.equal(outcome.failure?.code, code, seen.message);
    assert.deepEqual([outcome.result, outcome.release], ['undone', 1]);
    const report = await load!.stop();
    assert.equal(report.lost - report.losses['app-error'], 0, JSON.stringify(report.examples));
    assert.equal(await versionAt(port), '1');
    assert.deepEqual(
      (await scene.fleet.observe('canary')).instances.map(({ release }) => release),
      [1, 1],
    );
    return outcome;
  };

  it('aborts a candidate that fails one request in twenty', async () => {
    await first({ settings: steps('50%', '120s') });
    const seen = await deploy({ failing: 5, settings: steps('50%', '120s') });
    await assertUndone(seen, 'rollout-worse');
    assert.match(
      String(seen),
      /\d+ of [\d,]+ requests \([\d.]+ %\) failed on the candidate, none|0 of|worse, with evidence of/,
    );
    const { verdict, state, result, sides, guards } = await status();
    assert.deepEqual([state, result, verdict?.verdict], ['ended', 'undone', 'fail']);
    assert.ok(sides!.candidate.failed > 3 && sides!.stable.failed === 0, JSON.stringify(sides));
    assert.ok(sides!.candidate.p95Ms! > 0);
    assert.deepEqual(
      guards.map(({ name, state: word }) => [name, word]),
      [['instances', 'ok']],
    );
  });

  it('aborts a candidate that is slow', async () => {
    await first({ settings: steps('50%', '120s') });
    const seen = await deploy({ slowSeconds: 0.3, settings: steps('50%', '120s') });
    const outcome = await assertUndone(seen, 'rollout-worse');
    assert.match(outcome.failure?.reason ?? '', /were slow on the candidate/);
  });

  it('promotes a good one, stage by stage, and loses nothing', async () => {
    await first({ settings: steps('20%', '1s') });
    const lenient = '\n  analysis: {error_margin: 5%, slow_margin: 20%}';
    const stages = new Set<string>();
    const stop = new AbortController();
    const deploying = deploy({ settings: `${steps('20%', '1s')}\n      - {weight: 50%, for: 1s}${lenient}` });
    await until(({ stage }) => stage !== undefined, 'a stage');
    const watching = (async () => {
      for await (const { stage, state, verdict } of scene.delivery.watchRollout('canary', stop.signal))
        stages.add(
          `${stage?.stage} ${stage?.weight} ${state === 'ended' ? `${state} ${verdict?.verdict}` : ''}`.trim(),
        );
    })();
    const outcome = await deploying;
    assert.ok(!(outcome instanceof UserError), String(outcome));
    assert.deepEqual([outcome.result, outcome.release], ['switched', 2]);
    await watching;
    assert.deepEqual(
      [...stages].filter((each) => !each.startsWith('undefined undefined')),
      ['1 2000', '2 5000'],
    );
    assert.ok([...stages].at(-1)?.includes('ended pass'), [...stages].join());
    const report = await load!.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.equal(await versionAt(port), '2');
    stop.abort();
  });

  it('waits in a quiet system and does as declared', async () => {
    const settings = (policy: string): string =>
      `${steps('50%', '200ms')}\n    on_insufficient: ${policy}\n    max_wait: 2s`;
    await scene.deploy(written(scene.root, { port, version: '1', settings: settings('wait') }));
    const deploying = deploy({ settings: settings('wait') });
    const waiting = await until(({ state }) => state === 'waiting', 'it waits');
    assert.match(waiting.note ?? '', /answered no request yet/);
    const seen = await deploying;
    assert.ok(
      seen instanceof UserError && (seen.details['outcome'] as RolloutOutcome).failure?.code === 'rollout-insufficient',
      String(seen),
    );
    const aborted = await deploy({ settings: settings('abort') });
    assert.ok(aborted instanceof UserError && aborted.message.includes('too little is known'), String(aborted));
    const promoted = await deploy({ settings: settings('promote') });
    assert.ok(!(promoted instanceof UserError), String(promoted));
    assert.ok(scene.events.some((event) => event.type === 'warning' && event.message.includes('as declared')));
  });

  it('is paused, given a weight, resumed and promoted; every word is written down', async () => {
    assert.throws(() => control({ kind: 'pause' }), /there is no project/);
    await first({ settings: steps('20%', '10m') });
    assert.equal(refusal({ kind: 'abort' }), 'no-rollout');
    const deploying = deploy({ settings: steps('20%', '10m') });
    await until(({ stage }) => stage?.weight === 2_000, 'the first stage');
    assert.equal(refusal({ kind: 'weight', weight: 10_001 }), 'weight-invalid');
    assert.equal(refusal({ kind: 'resume' }), 'not-paused');
    control({ kind: 'weight', weight: 7_000 });
    const held = await until(({ routes }) => routes[0]?.weight === 7_000, 'the weight');
    assert.match((await until(({ note }) => note !== undefined, 'a note')).note ?? '', /ann holds the weight at 70 %/);
    assert.equal(held.stage?.weight, 7_000);
    assert.equal((await scene.traffic.observe()).routes.get('canary/web/8000')?.weight, 7_000);
    assert.equal(control({ kind: 'pause' }).state, 'paused');
    control({ kind: 'resume' });
    await waitFor(async () => (await scene.traffic.observe()).routes.get('canary/web/8000')?.weight === 2_000, {
      timeoutMs: 5_000,
      what: 'the weight of the plan',
    });
    control({ kind: 'promote' });
    const outcome = await deploying;
    assert.ok(!(outcome instanceof UserError), String(outcome));
    assert.equal((await load!.stop()).lost, 0);
    assert.equal(await versionAt(port), '2');
    assert.equal(refusal({ kind: 'abort' }), 'no-rollout');
    const { controls } = await scene.delivery.ledger('canary');
    assert.equal(controls.length, 4, JSON.stringify(controls));
  });

  it('is aborted from elsewhere, and by whom is told', async () => {
    await first({ settings: steps('20%', '10m') });
    const deploying = deploy({ settings: steps('20%', '10m') });
    await until(({ stage }) => stage?.weight === 2_000, 'the first stage');
    control({ kind: 'abort' });
    await waitFor(async () => (await scene.traffic.observe()).routes.get('canary/web/8000')?.candidate === null, {
      timeoutMs: 5_000,
      what: 'all traffic on the old release',
      intervalMs: 5,
    });
    const seen = await deploying;
    assert.match(String(seen), /was aborted by ann and undone; release 1 serves as before/);
    assert.equal((await load!.stop()).lost, 0);
    assert.equal(await versionAt(port), '1');
  });

  it('is aborted at once when an instance of the candidate crashes, with its last words', async () => {
    await first({ settings: steps('20%', '10m') });
    const deploying = deploy({ settings: steps('20%', '10m') });
    await until(({ stage, sides }) => stage !== undefined && (sides?.candidate.requests ?? 0) > 5, 'the first stage');
    const args = ['sh', '-c', 'echo out of luck > /proc/1/fd/1'];
    const exec = await scene.fleet.exec('canary-web-r2-1', { args, env: {}, tty: false, attachStdin: false });
    assert.equal(await exec.exit, 0);
    await scene.fleet.stopInstance('canary-web-r2-1');
    const seen = await deploying;
    assert.ok(seen instanceof UserError);
    const { failure } = seen.details['outcome'] as RolloutOutcome;
    assert.deepEqual([failure?.code, failure?.instance], ['rollout-guard', 'canary-web-r2-1'], seen.message);
    assert.match(seen.message, /canary-web-r2-1 exited/);
    assert.ok(failure?.logs.includes('out of luck'), JSON.stringify(failure));
  });

  it('obeys Prometheus queries and commands', { skip: noPrometheus }, async () => {
    await using prometheus = await startPrometheus({ latency: '0.5' });
    const guards = (command: string): string => `${steps('20%', '10m')}
  analysis:
    queries: [{name: latency, prometheus: "${prometheus.address}", query: latency, max: 1, interval: 200ms, failures: 2}]
    commands: [{name: check, run: ["sh", "-c", "${command}"], interval: 200ms}]`;
    await first({ settings: guards('true') });
    const deploying = deploy({ settings: guards('true') });
    const well = await until(
      ({ guards: all }) => all.filter(({ state }) => state === 'ok').length === 3,
      'all guards are well',
    );
    assert.deepEqual(
      well.guards.map(({ name }) => name),
      ['check', 'instances', 'latency'],
    );
    await prometheus.set({ latency: 'NaN' });
    assert.match(
      (await until(({ guards: all }) => all.some(({ state }) => state === 'unknown'), 'unknown')).guards[2]?.detail ??
        '',
      /NaN/,
    );
    await prometheus.set({ latency: '7' });
    const seen = await deploying;
    assert.match(String(seen), /latency: 7 is above 1 \(2 of 2 in a row\)/);
    await prometheus.set({ latency: '0.5' });
    const by = await deploy({ settings: guards('echo $$BASCULE_PROJECT $$BASCULE_CANDIDATE; exit 3') });
    assert.match(String(by), /check: ended with exit code 3: canary 3/);
  });

  it('goes on with its evidence after a SIGKILL in the middle of a stage, at the weight that a person set', async () => {
    const { socketPath } = scene;
    const root = mkdtempSync(join(tmpdir(), 'bascule-canary-'));
    const settings = steps('50%', '1h');
    {
      const own = await openScene({ socketPath, root });
      await own.deploy(written(root, { port, version: '1', settings }));
      await own.delivery.close();
      await own.traffic.close();
    }
    load = await startLoad({
      url: `http://127.0.0.1:${port}/cgi-bin/answer`,
      connections: 6,
      ratePerSecond: 100,
      newConnectionShare: 0.5,
    });
    const composeFile = join(root, 'next.yaml');
    writeFileSync(composeFile, written(root, { port, version: '2', settings }));
    const requests = await deployAndDie({ socketPath, root, composeFile, killAtRequests: 150, weight: 6_000 });
    const again = await openScene({ socketPath, root });
    await again.delivery.resume();
    let seen = await again.delivery.status('canary');
    assert.ok(seen.sides!.candidate.requests >= requests * 0.5, JSON.stringify(seen.sides));
    assert.deepEqual([seen.state, seen.stage?.weight], ['paused', 6_000], JSON.stringify({ ...seen, steps: [] }));
    assert.ok((seen.verdict?.metrics[0]?.candidate.requests ?? 0) >= requests * 0.3);
    await waitFor(
      async () => (seen = await again.delivery.status('canary')).sides!.candidate.requests > requests + 50,
      {
        timeoutMs: 20_000,
        what: 'more evidence',
      },
    );
    again.delivery.control({ project: 'canary', author: 'bob', action: { kind: 'abort' } });
    await again.delivery.settled();
    const { result, failure } = await again.delivery.status('canary');
    assert.deepEqual([result, failure?.reason], ['undone', 'aborted by bob']);
    assert.equal((await load.stop()).lost, 0);
    await again[Symbol.asyncDispose]();
  });
});

function steps(weight: string, forText: string): string {
  return `  strategy: canary
  canary:
    steps:
      - {weight: ${weight}, for: ${forText}}`;
}

/** The build context on disk, and the Compose file's text. */
function written(root: string, project: CanaryProject): string {
  const { 'compose.yaml': composeFile = '', ...files } = canaryProject(project);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return composeFile;
}

async function versionAt(port: number): Promise<string | undefined> {
  const response = await fetch(`http://127.0.0.1:${port}/cgi-bin/answer`);
  return /version=(\w+)/.exec(await response.text())?.[1];
}

/** How many requests the candidate had answered when the daemon was killed. */
async function deployAndDie(given: Readonly<Record<string, unknown>>): Promise<number> {
  const program = fileURLToPath(new URL('../support/canary-process.ts', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, DELIVERY: JSON.stringify(given) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `ended with ${code}`);
  return Number(/requests=(\d+)/.exec(output)?.[1]);
}
