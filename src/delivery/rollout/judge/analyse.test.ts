import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openDatabase } from '../../../lib/database.ts';
import { UserError } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { waitFor } from '../../../../test/support/wait.ts';
import { defaultSettings, type ProjectSettings } from '../../compose/index.ts';
import type { FleetState, ObservedInstance } from '../../fleet/index.ts';
import type { RequestSample, RouteShare } from '../../traffic/index.ts';
import { analyse } from './analyse.ts';
import { Changes } from '../steer/changes.ts';
import { createCollector } from './collector.ts';
import { createControls } from '../steer/controls.ts';
import { openEvidenceStore } from './evidence-store.ts';
import type { ControlRequest } from '../face.ts';
import type { StepContext } from '../execute/world.ts';
import { monitor, waitOut } from './monitor.ts';
import { createProgressBoard } from './progress-board.ts';
import type { StepOf } from '../plan/step.ts';

const ROUTE = 'p/web/80';
const KEY = { project: 'p', rollout: 1 };
const BOTH = { service: 'web', route: ROUTE, stable: 'lane-000', candidate: 'lane-001' };

/** One instance of the candidate, and a proxy that reports what the test makes up: moments that nobody can time. */
class Scene {
  readonly database = openDatabase(':memory:');
  readonly routes = new Map<string, RouteShare>([
    [ROUTE, { stable: 'lane-000', candidate: 'lane-001', weight: 2_000 }],
  ]);
  readonly said: string[] = [];
  instance: Partial<ObservedInstance> = {};
  settings: ProjectSettings = defaultSettings();
  readonly #listeners = new Set<(batch: readonly RequestSample[]) => void>();
  readonly #cancel = new AbortController();
  life = this.boot();

  /** A life of the daemon: what it knows is on disk. */
  boot() {
    const store = openEvidenceStore(this.database, silentLog);
    const changes = new Changes();
    const touch = (project: string): void => changes.touch(project);
    const onRequests = (listener: (batch: readonly RequestSample[]) => void) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    };
    const collector = createCollector({ traffic: { onRequests }, store });
    const roles = [
      { lane: 'lane-000', service: 'web', release: 1, side: 'stable' },
      { lane: 'lane-001', service: 'web', release: 2, side: 'candidate' },
    ] as const;
    collector.begin(KEY, roles);
    return { collector, changes, controls: createControls(store, touch), board: createProgressBoard(store, touch) };
  }

  context(seq = 3): StepContext {
    const world = {
      ...this.life,
      now: () => new Date(),
      releases: { get: () => ({ model: { settings: this.settings } }) },
      traffic: {
        observe: async () => ({ routes: this.routes }),
        setRoutes: async (shares: ReadonlyMap<string, RouteShare>) => {
          for (const [route, share] of shares) this.routes.set(route, share);
        },
      },
      fleet: {
        observe: async (): Promise<Partial<FleetState>> => ({ instances: [this.#observed()] }),
        async *events() {},
      },
    };
    const rollout = { number: 1, from: 1, to: 2 };
    const { signal } = this.#cancel;
    return {
      world,
      project: 'p',
      rollout,
      seq,
      signal,
      say: (text: string) => this.said.push(text),
    } as unknown as StepContext;
  }

  #observed(): ObservedInstance {
    const well = {
      name: 'web-1',
      state: 'running',
      health: 'healthy',
      restarts: 0,
      oomKilled: false,
      startedAt: new Date(0),
    };
    return { ...well, ...this.instance } as ObservedInstance;
  }

  canary(changes: Partial<ProjectSettings['canary']>): void {
    this.settings = { ...this.settings, canary: { ...this.settings.canary, ...changes } };
  }

  tell(action: ControlRequest['action']): void {
    this.life.controls.put(KEY, { atMs: 0, author: 'ann', action });
  }

  requests(o: { readonly each: number; readonly failed?: number }): void {
    const one = {
      atMs: 0,
      route: ROUTE,
      status: 200,
      responseMs: 5,
      totalMs: 5,
      chosenBy: 'weight',
      appError: false,
    } as const;
    const side = (lane: string, failed: number): readonly RequestSample[] =>
      Array.from({ length: o.each }, (_, n) =>
        n < failed ? { ...one, lane, status: 500, appError: true } : { ...one, lane },
      );
    const batch = [...side('lane-000', 0), ...side('lane-001', o.failed ?? 0)];
    for (const listener of this.#listeners) listener(batch);
  }

  /** The daemon is killed: what it had in memory is gone. */
  kill(): void {
    this.#listeners.clear();
    this.life = this.boot();
  }

  /** Lives that were killed end too. */
  [Symbol.dispose](): void {
    this.#cancel.abort();
  }

  note(): string {
    return this.life.board.of(KEY).activity.note ?? '';
  }
}

function step(changes: Partial<StepOf<'analyse'>> = {}): StepOf<'analyse'> {
  const until = { forMs: 10 };
  return {
    kind: 'analyse',
    stage: 1,
    stages: 2,
    weight: 2_000,
    until,
    sides: [BOTH],
    guarded: ['web-1'],
    cause: 'x',
    ...changes,
  };
}

async function errorOf(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof UserError, String(error));
  return error;
}

async function underTraffic(scene: Scene, work: Promise<unknown>): Promise<void> {
  const timer = setInterval(() => scene.requests({ each: 200 }), 10);
  await work.finally(() => clearInterval(timer));
}

const soon = { timeoutMs: 5_000, what: 'it is shown' };

describe('a stage of a canary', { timeout: 30_000 }, () => {
  it('ends when the candidate has passed', async () => {
    using scene = new Scene();
    const running = analyse(step(), scene.context());
    await underTraffic(scene, running);
    assert.equal(scene.routes.get(ROUTE)?.weight, 2_000);
  });

  it('takes all traffic from a worse candidate within 100 ms of the deciding request', async () => {
    using scene = new Scene();
    const failing = errorOf(analyse(step({ until: { forMs: 60_000 } }), scene.context()));
    await waitFor(() => scene.life.board.of(KEY).activity.stage, soon);
    scene.requests({ each: 400, failed: 0 });
    const decided = performance.now();
    scene.requests({ each: 400, failed: 40 });
    await waitFor(() => scene.routes.get(ROUTE)?.weight === 0, { ...soon, intervalMs: 1 });
    const tookMs = performance.now() - decided;
    assert.ok(tookMs < 100, `${tookMs} ms`);
    const error = await failing;
    assert.equal(error.code, 'rollout-worse');
    assert.match(error.message, /40 of 800 requests \(5 %\) failed on the candidate, none of|40 of 800/);
  });

  it('goes on after a SIGKILL with the evidence that was there', async () => {
    using scene = new Scene();
    void analyse(step({ until: { forMs: 3_600_000 } }), scene.context()).catch(() => {});
    await waitFor(() => scene.life.board.of(KEY).activity.stage, soon);
    scene.requests({ each: 1_000 });
    await waitFor(() => scene.life.board.of(KEY).steps[3]?.requests === 1_000, soon);
    scene.life.board.flush();
    scene.life.collector.flush();
    const before = scene.life.board.of(KEY);
    scene.kill();
    assert.deepEqual(scene.life.board.of(KEY), before);
    assert.equal(scene.life.collector.sides(KEY)[1]?.requests, 1_000);
    const error = errorOf(analyse(step({ until: { forMs: 3_600_000 } }), scene.context()));
    await waitFor(() => scene.life.board.of(KEY).activity.stage, soon);
    assert.equal(scene.life.board.of(KEY).comparison?.analysis.metrics[0]?.candidate.requests, 1_000);
    scene.requests({ each: 1_000, failed: 60 });
    assert.match((await error).message, /60 of 2,000/);
  });

  it('waits in a quiet system, says why, and does what is declared', async () => {
    using scene = new Scene();
    scene.canary({ maxWaitMs: 1_200 });
    const waiting = errorOf(analyse(step(), scene.context()));
    await waitFor(() => scene.life.board.of(KEY).activity.state === 'waiting', soon);
    assert.match(scene.note(), /answered no request yet/);
    assert.equal((await waiting).code, 'rollout-insufficient');
    assert.equal(scene.routes.get(ROUTE)?.weight, 0);
    scene.canary({ onInsufficient: 'promote' });
    await analyse(step(), scene.context(4));
    assert.match(scene.said.join(), /too little is known, as declared/);
  });

  it('ends by time alone where nothing is compared', async () => {
    using scene = new Scene();
    scene.settings = { ...scene.settings, analysis: { ...scene.settings.analysis, enabled: false } };
    await analyse(step(), scene.context());
    await analyse(step({ sides: [], stage: 0, stages: 0, weight: 0 }), scene.context(4));
  });

  it('holds while it is paused, at a weight that a person sets, and goes on with the weight of the plan', async () => {
    using scene = new Scene();
    let isOver = false;
    const running = analyse(step(), scene.context()).then(() => (isOver = true));
    scene.tell({ kind: 'weight', weight: 7_000 });
    scene.requests({ each: 4_000 });
    await waitFor(() => scene.routes.get(ROUTE)?.weight === 7_000, soon);
    await waitFor(() => scene.note().includes('ann holds the weight at 70 %'), soon);
    scene.tell({ kind: 'pause' });
    await waitFor(() => scene.note().includes('paused by ann'), soon);
    assert.equal(isOver, false);
    scene.tell({ kind: 'resume' });
    await underTraffic(scene, running);
    assert.equal(scene.routes.get(ROUTE)?.weight, 2_000);
  });

  it('waits for a word where it is declared, and skips what remains on another one', async () => {
    using scene = new Scene();
    const confirmed = step({ until: { confirmed: true }, sides: [] });
    const running = analyse(confirmed, scene.context());
    await waitFor(() => scene.life.board.of(KEY).activity.awaits === 3, soon);
    scene.life.controls.put(KEY, { atMs: 0, author: 'ann', action: { kind: 'promote' }, confirms: 3 });
    await running;
    const next = analyse(confirmed, scene.context(4));
    await waitFor(() => scene.life.board.of(KEY).activity.awaits === 4, soon);
    scene.tell({ kind: 'promote' });
    await next;
    await analyse(step({ until: { forMs: 3_600_000 } }), scene.context(5));
  });

  it('fails at once when an instance of the candidate crashes, and names it', async () => {
    using scene = new Scene();
    const failing = errorOf(analyse(step({ until: { forMs: 60_000 } }), scene.context()));
    await waitFor(() => scene.life.board.of(KEY).baselines['web-1'], soon);
    scene.instance = { restarts: 1 };
    const error = await failing;
    assert.deepEqual([error.code, error.details['instance']], ['rollout-guard', 'web-1']);
    assert.match(error.message, /web-1 crashed and was started again/);
    assert.equal(scene.routes.get(ROUTE)?.weight, 0);
  });

  it('fails when a command says so, and never passes while one is unknown', async () => {
    using scene = new Scene();
    const guard = { name: 'check', intervalMs: 50, timeoutMs: 5_000, failures: 1 };
    const with_ = (run: readonly string[]): void => {
      scene.settings = {
        ...defaultSettings(),
        analysis: { ...defaultSettings().analysis, enabled: false, queries: [], commands: [{ ...guard, run }] },
      };
    };
    with_(['/no/such/program']);
    scene.canary({ onInsufficient: 'abort' });
    const unknown = await errorOf(analyse(step({ until: { forMs: 200 } }), scene.context()));
    assert.equal(unknown.code, 'rollout-insufficient');
    assert.match(unknown.message, /check is unknown: there is no program/);
    with_(['sh', '-c', 'echo too hot; exit 1']);
    const bad = await errorOf(analyse(step({ until: { forMs: 60_000 } }), scene.context(4)));
    assert.equal(bad.code, 'rollout-guard');
    assert.match(bad.message, /check: ended with exit code 1: too hot/);
  });
});

describe('steps that wait', { timeout: 30_000 }, () => {
  it('count the time that passed while the daemon was away', async () => {
    using scene = new Scene();
    const context = scene.context();
    scene.life.board.updateStep(KEY, 3, { startedMs: Date.now() - 60_000 });
    scene.life.board.flush();
    scene.kill();
    const began = performance.now();
    await waitOut({ kind: 'delay', durationMs: 60_100, cause: 'x' }, { ...context, ...scene.context() });
    const tookMs = performance.now() - began;
    assert.ok(tookMs > 20 && tookMs < 2_000, `${tookMs} ms`);
  });

  it('pause, go on or take back when too many new instances fail, as declared', async () => {
    const watch = (failureAction: 'pause' | 'continue' | 'rollback'): StepOf<'monitor'> => {
      return { kind: 'monitor', instances: ['web-1'], durationMs: 50, maxFailureRatio: 0, failureAction, cause: 'x' };
    };
    using scene = new Scene();
    await monitor(watch('rollback'), scene.context(1));
    scene.instance = { state: 'exited', exitCode: 7 };
    const error = await errorOf(monitor(watch('rollback'), scene.context(2)));
    assert.deepEqual([error.code, error.details['instance']], ['instance-failed', 'web-1']);
    assert.match(error.message, /1 of 1 new instances failed: web-1 exited with exit code 7/);
    await monitor(watch('continue'), scene.context(4));
    assert.match(scene.said.join(), /it goes on, as declared/);
    const paused = monitor(watch('pause'), scene.context(5));
    await waitFor(() => scene.note().includes('paused by bascule (1 of 1 new instances failed'), soon);
    scene.tell({ kind: 'resume' });
    await paused;
  });
});
