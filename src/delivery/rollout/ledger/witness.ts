import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { Releases } from '../../release/index.ts';
import type { LaneId, RequestSample, Traffic } from '../../traffic/index.ts';
import type { Journal, RolloutRecord } from '../execute/journal.ts';
import { isDrainDeadline } from '../execute/drain-deadline.ts';
import { isBackground } from '../outcome.ts';
import { probeTargets, type ProbeTarget, type RunningProbes, type startProbes } from './probes/index.ts';
import type { ProgressBoard } from '../judge/progress-board.ts';
import type { Collector, LaneSide, RolloutKey } from '../judge/samples.ts';
import { addToSeries, noteInSeries, type Series } from './series.ts';
import { verdictOfProgress } from '../judge/verdict-of-progress.ts';
import type { Testimony, WitnessStore } from './witness-store.ts';

/** Writes down how a rollout went over time, and probes the front door meanwhile. No rollout ever waits for it. */
export interface Witness {
  /** Before the first step, once the collector knows the rollout. Known already, or begun before a crash: goes on. */
  begin(record: RolloutRecord): void;
  /** After the last one: it goes on for a while. */
  ended(record: RolloutRecord): void;
  testimony(rollout: RolloutKey): Testimony | undefined;
  series(rollout: RolloutKey): Series;
  close(): Promise<void>;
}

export interface WitnessOptions {
  readonly traffic: Pick<Traffic, 'counters' | 'probeToken'>;
  readonly journal: Journal;
  readonly releases: Releases;
  readonly collector: Collector;
  readonly board: ProgressBoard;
  readonly store: WitnessStore;
  readonly log: Log;
  readonly startProbes: typeof startProbes;
  now(): Date;
}

/** As long as the requests after a switch are looked at; probes do not need as long. */
const AFTER_MS = 30_000;
const PROBES_AFTER_MS = 5_000;
const TICK_MS = 1_000;
const FAREWELL_MS = 1_000;

export function createWitness(o: WitnessOptions): Witness {
  const watches = new Map<string, Watch>();
  const ending = new Set<Promise<void>>();
  const end = (watch: Watch): void => {
    const { project } = watch.key;
    const ended = watch
      .end()
      .catch((error: unknown) => o.log.warn({ project, err: error }, `the ledger is not complete: ${messageOf(error)}`))
      .finally(() => {
        ending.delete(ended);
        if (watches.get(project) === watch) watches.delete(project);
      });
    ending.add(ended);
  };
  const safely = (project: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      o.log.warn({ project, err: error }, `the ledger is not complete: ${messageOf(error)}`);
    }
  };
  const timer = setInterval(() => {
    for (const [project, watch] of watches) safely(project, () => watch.tick());
  }, TICK_MS);
  timer.unref();
  return {
    begin: (record) => {
      const { project, number: rollout } = record;
      const known = watches.get(project);
      if (isBackground(record.kind) || known?.key.rollout === rollout) return;
      safely(project, () => {
        if (known !== undefined) end(known);
        watches.set(project, new Watch(o, record));
      });
    },
    ended: ({ project, number }) => {
      const watch = watches.get(project);
      if (watch?.key.rollout !== number) return;
      safely(project, () => watch.endLater(() => end(watch)));
    },
    testimony: (key) => watches.get(key.project)?.testimonyOf(key) ?? o.store.testimony(key),
    series: (key) => watches.get(key.project)?.seriesOf(key) ?? o.store.series(key),
    close: async () => {
      clearInterval(timer);
      for (const watch of watches.values()) end(watch);
      await Promise.all(ending);
    },
  };
}

/** One rollout that is watched. */
class Watch {
  readonly key: RolloutKey;
  readonly #o: WitnessOptions;
  readonly #sides: ReadonlyMap<LaneId, LaneSide>;
  readonly #probes: RunningProbes;
  readonly #unsubscribe: () => void;
  readonly #timers: NodeJS.Timeout[] = [];
  #series: Series;
  #testimony: Testimony;
  #savedStepMs: number;
  #changedFromMs: number;
  #dropped: number | undefined;

  constructor(o: WitnessOptions, record: RolloutRecord) {
    this.#o = o;
    this.key = { project: record.project, rollout: record.number };
    const before = o.store.testimony(this.key);
    const nowMs = o.now().getTime();
    this.#series = o.store.series(this.key);
    this.#savedStepMs = this.#series.stepMs;
    this.#changedFromMs = nowMs - this.#series.stepMs;
    this.#testimony = continued(before, nowMs);
    this.#sides = new Map(o.collector.sides(this.key).map(({ lane, side }) => [lane, side]));
    this.#unsubscribe = o.collector.onSamples(record.project, (batch) => this.#add(batch));
    this.#probes = o.startProbes({
      targets: targetsOf(o, record),
      before: before?.probes ?? [],
      token: o.traffic.probeToken(),
      nowMs: () => o.now().getTime(),
      isDrainDeadline: () => isDrainDeadline(o.journal.steps(record.project, record.number), o.now().getTime()),
    });
  }

  #add(batch: readonly RequestSample[]): void {
    const own = batch.filter(({ lane }) => this.#sides.has(lane));
    if (own.length === 0) return;
    const first = Math.min(...own.map(({ atMs }) => atMs));
    this.#changedFromMs = Math.min(this.#changedFromMs, first - this.#series.stepMs);
    this.#series = addToSeries(this.#series, (lane) => this.#sides.get(lane), own);
    const probed = own.filter(({ chosenBy }) => chosenBy === 'probe');
    const { requests, lost } = this.#testimony.probed;
    const more = {
      requests: requests + probed.length,
      lost: lost + probed.filter(({ loss }) => loss !== undefined).length,
    };
    this.#testimony = { ...this.#testimony, probed: more };
  }

  testimonyOf({ rollout }: RolloutKey): Testimony | undefined {
    return rollout === this.key.rollout ? this.#now() : undefined;
  }

  seriesOf({ rollout }: RolloutKey): Series | undefined {
    return rollout === this.key.rollout ? this.#series : undefined;
  }

  #now(): Testimony {
    const { stepMs } = this.#series;
    return { ...this.#testimony, stepMs, probes: this.#probes.reports(), lastMs: this.#o.now().getTime() };
  }

  tick(): void {
    this.#note();
    this.save();
    void this.#countDropped();
  }

  #note(): void {
    const { board, journal } = this.#o;
    const progress = board.of(this.key);
    const { stage } = progress.activity;
    if (stage === undefined || journal.find(this.key.project, this.key.rollout)?.phase !== 'running') return;
    const metrics = verdictOfProgress(progress)?.metrics ?? [];
    const evidence = metrics.map(({ metric, worse, notWorse }) => ({ metric, worse, notWorse }));
    const nowMs = this.#o.now().getTime();
    this.#series = noteInSeries(this.#series, nowMs, { weight: stage.weight, evidence });
  }

  save(): void {
    const { store } = this.#o;
    const { stepMs, points } = this.#series;
    if (stepMs === this.#savedStepMs)
      store.put(
        this.key,
        this.#now(),
        points.filter(({ atMs }) => atMs >= this.#changedFromMs),
      );
    else store.replace(this.key, this.#now(), points);
    this.#savedStepMs = stepMs;
    this.#changedFromMs = this.#o.now().getTime() - 2 * stepMs;
  }

  /** What the proxy had to drop since the last time. */
  async #countDropped(): Promise<void> {
    const counters = await this.#o.traffic.counters([]).catch(() => undefined);
    if (counters === undefined) return;
    const { dropped } = counters.samples;
    const more = dropped - (this.#dropped ?? dropped);
    this.#dropped = dropped;
    this.#testimony = { ...this.#testimony, missed: this.#testimony.missed + Math.max(0, more) };
  }

  endLater(onDue: () => void): void {
    this.#timers.push(
      setTimeout(() => void this.#probes.stop(), PROBES_AFTER_MS).unref(),
      setTimeout(onDue, AFTER_MS).unref(),
    );
  }

  /** What is under way of the probes gets a moment to end. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#unsubscribe();
    await Promise.race([this.#probes.stop(), delay(FAREWELL_MS, undefined, { ref: false })]);
    this.save();
  }
}

function continued(before: Testimony | undefined, nowMs: number): Testimony {
  const fresh = { stepMs: 1_000, probes: [], probed: { requests: 0, lost: 0 }, missed: 0, gaps: [], lastMs: nowMs };
  if (before === undefined) return fresh;
  return { ...before, gaps: [...before.gaps, { fromMs: before.lastMs, toMs: nowMs }], lastMs: nowMs };
}

/** Only where something serves before it and after it. */
function targetsOf({ journal, releases }: WitnessOptions, record: RolloutRecord): readonly ProbeTarget[] {
  const { project, number, from, to } = record;
  if (from === undefined || to === undefined || record.phase === 'ended') return [];
  const model = releases.find(project, to)?.model;
  const next = journal
    .steps(project, number)
    .flatMap(({ step, undoing }) => (step.kind === 'set-standing' && !undoing ? [step.standing.ports] : []))
    .at(-1);
  return model === undefined || next === undefined ? [] : probeTargets(model, journal.standing(project).ports, next);
}
