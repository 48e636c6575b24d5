import { messageOf, UserError } from '../../../lib/errors.ts';
import type { Release } from '../../release/index.ts';
import { isBackground } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { type BrokenInstance, brokenInstances, type HealInput, planHeal } from '../plan/heal.ts';
import { lookAround } from '../plan/planning.ts';
import type { StepRecord } from '../execute/journal.ts';
import { type Running, runningAlone } from '../execute/locks.ts';
import { runPlan } from '../execute/run-rollout.ts';
import { mayBeReplaced, oneAtATime, withCandidate } from './beside-rollout.ts';
import { followTcp } from './follow-tcp.ts';
import { liveReleases, liveSets, setKey, type Standing } from '../plan/standing.ts';

/** Replaces instances that are gone or ill, where nobody else is about to touch them. */
export interface Healer {
  /** Something happened to an instance of this project: looks at it soon. */
  wake(project: string): void;
  wakeAll(): void;
  close(): Promise<void>;
}

/** Also without any event, so often: an event may have been missed. */
const LOOK_MS = 30_000;
/** Several instances that die together are looked at together. */
const SOON_MS = 100;

export function createHealer(parts: Parts): Healer {
  const patience = new Patience(() => parts.now().getTime());
  const timers = new Map<string, NodeJS.Timeout>();
  const looking = new Set<Promise<void>>();

  const look = async (project: string): Promise<void> => {
    const again = await healProject(parts, project, patience).catch((error: unknown) => {
      if (!isBusy(error)) parts.log.error({ project, err: error }, `could not heal: ${messageOf(error)}`);
      return SOON_MS * 10;
    });
    if (again !== undefined) lookIn(project, again);
  };
  const lookIn = (project: string, delayMs: number): void => {
    if (parts.stopping.aborted) return;
    clearTimeout(timers.get(project));
    const timer = setTimeout(() => {
      timers.delete(project);
      const work = look(project).finally(() => looking.delete(work));
      looking.add(work);
    }, delayMs);
    timer.unref();
    timers.set(project, timer);
  };
  const wakeAll = (): void => {
    for (const project of parts.journal.standingProjects()) lookIn(project, SOON_MS);
  };
  const regularly = setInterval(wakeAll, LOOK_MS);
  regularly.unref();
  return {
    wake: (project) => lookIn(project, SOON_MS),
    wakeAll,
    close: async () => {
      clearInterval(regularly);
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(looking);
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof UserError && error.code === 'rollout-running';
}

/** @returns after how many milliseconds the project is to be looked at again; undefined: all is well. */
async function healProject(parts: Parts, project: string, patience: Patience): Promise<number | undefined> {
  const running = parts.locks.running(project);
  if (parts.asides.of(project).some(({ kind }) => kind === 'heal')) return CONFIRM_MS;
  const { observed, standing } = await lookAround(parts, project);
  const isRollout = running !== undefined && !isBackground(running.kind);
  const steps = isRollout ? stepsOf(parts, project, running) : undefined;
  // What a rollout touches is looked at when it has ended.
  const found = brokenInstances({ standing, observed, resting: patience.resting() }).filter(
    (each) => !isRollout || mayBeReplaced(each, { standing, observed, steps }),
  );
  const broken = patience.confirmed(found);
  const [first] = broken;
  if (first === undefined) return found.length > 0 ? CONFIRM_MS : patience.nextEndMs();
  const same = broken.filter(({ set }) => setKey(set) === setKey(first.set));
  await (isRollout ? replaceBeside : replace)(parts, { project, same, patience });
  return SOON_MS;
}

interface Replacing {
  readonly project: string;
  readonly same: readonly BrokenInstance[];
  readonly patience: Patience;
}

async function replace(parts: Parts, { project, same, patience }: Replacing): Promise<void> {
  const stepAside = new AbortController();
  const who = { kind: 'heal', author: 'bascule', startedAt: parts.now() } as const;
  await parts.locks.hold(project, who, async (running) => {
    running.stepAside = () => stepAside.abort();
    await parts.asides.cleared(project, {}, AbortSignal.any([stepAside.signal, parts.stopping]));
    if (stepAside.signal.aborted || parts.stopping.aborted) return;
    const { observed, standing } = await lookAround(parts, project);
    const input: HealInput = {
      project,
      standing,
      observed,
      releases: releasesOf(parts, project, standing),
      resting: patience.resting(),
    };
    const still = brokenInstances(input).filter(({ name }) => same.some((each) => each.name === name));
    const plan = planHeal(input, still);
    if (plan.unchanged) return;
    for (const { name, cause } of still)
      parts.log.warn({ project, instance: name }, `${name} ${cause}: it is replaced`);
    const watch = { onProgress: () => {}, signal: stepAside.signal };
    await runPlan(parts, { plan, running, watch }).catch((error: unknown) => {
      parts.log.warn({ project, err: error }, `an instance could not be replaced: ${messageOf(error)}`);
    });
    for (const { set } of still.slice(0, 1)) patience.rest(setKey(set));
  });
}

/** Beside a rollout that does not touch them: without holding the project, and only under their own names. */
async function replaceBeside(parts: Parts, { project, same, patience }: Replacing): Promise<void> {
  const { observed, standing } = await lookAround(parts, project);
  const running = parts.locks.running(project);
  if (running === undefined || isBackground(running.kind)) return;
  const steps = stepsOf(parts, project, running);
  const all = withCandidate(standing, steps);
  const releases = releasesOf(parts, project, all);
  const input: HealInput = { project, standing: all, observed, releases, resting: patience.resting(), isBeside: true };
  const still = oneAtATime(
    brokenInstances(input).filter(
      (each) => same.some(({ name }) => name === each.name) && mayBeReplaced(each, { standing, observed, steps }),
    ),
  );
  const plan = planHeal(input, still);
  if (plan.unchanged) return;
  for (const { name, cause } of still) parts.log.warn({ project, instance: name }, `${name} ${cause}: it is replaced`);
  const own = runningAlone('heal', parts.now());
  const stepAside = new AbortController();
  const work = runPlan(parts, { plan, running: own, watch: { onProgress: () => {}, signal: stepAside.signal } });
  const ended = work.then(
    () => {},
    (error: unknown) => {
      parts.log.warn({ project, err: error }, `an instance could not be replaced: ${messageOf(error)}`);
    },
  );
  const stays = { names: new Set<string>(), releases: new Set<number>(), writes: false };
  const aside = { kind: 'heal', rollout: own.rollout, ...stays, ended } as const;
  parts.asides.add(project, { ...aside, stepAside: () => stepAside.abort() });
  await ended;
  await followTcp(parts, project).catch((error: unknown) => {
    parts.log.warn({ project, err: error }, `could not follow addresses: ${messageOf(error)}`);
  });
  for (const { set } of still.slice(0, 1)) patience.rest(setKey(set));
}

/** None before its plan is written down: nobody knows then what it will touch. */
function stepsOf({ journal }: Parts, project: string, running: Running): readonly StepRecord[] | undefined {
  return running.rollout === 0 || running.undoing ? undefined : journal.steps(project, running.rollout);
}

function releasesOf({ releases }: Parts, project: string, standing: Standing): ReadonlyMap<number, Release> {
  const numbers = [
    ...liveReleases(standing).map(({ release }) => release),
    ...liveSets(standing).map(({ origin }) => origin),
  ];
  const found = [...new Set(numbers)].map((number) => [number, releases.find(project, number)] as const);
  return new Map(found.flatMap(([number, release]) => (release === undefined ? [] : [[number, release] as const])));
}

const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 300_000;
/** A set that was well for so long starts from the shortest pause again. */
const FORGET_MS = 600_000;
/** What ends is often started again by the engine: it must have been broken for so long. */
const CONFIRM_MS = 1_000;

/**
 * What the healer remembers: since when an instance has been broken, and how long a set is left alone that breaks
 * again and again. In memory only: a new daemon looks at everything once.
 */
class Patience {
  readonly #nowMs: () => number;
  readonly #brokenSince = new Map<string, number>();
  readonly #sets = new Map<string, { readonly pauseMs: number; readonly untilMs: number }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Those that have been broken for long enough. */
  confirmed(broken: readonly BrokenInstance[]): readonly BrokenInstance[] {
    const now = this.#nowMs();
    const names = new Set(broken.map(({ name }) => name));
    for (const name of this.#brokenSince.keys()) if (!names.has(name)) this.#brokenSince.delete(name);
    for (const name of names) if (!this.#brokenSince.has(name)) this.#brokenSince.set(name, now);
    return broken.filter(({ name }) => now - (this.#brokenSince.get(name) ?? now) >= CONFIRM_MS);
  }

  /** This set was just healed. */
  rest(set: string): void {
    const now = this.#nowMs();
    const last = this.#sets.get(set);
    const isNew = last === undefined || now - last.untilMs > FORGET_MS;
    const pauseMs = isNew ? FIRST_REST_MS : Math.min(LONGEST_REST_MS, last.pauseMs * 2);
    this.#sets.set(set, { pauseMs, untilMs: now + pauseMs });
  }

  resting(): ReadonlySet<string> {
    const now = this.#nowMs();
    return new Set([...this.#sets].filter(([, { untilMs }]) => untilMs > now).map(([set]) => set));
  }

  /** Milliseconds until the next set may be looked at. */
  nextEndMs(): number | undefined {
    const now = this.#nowMs();
    const ends = [...this.#sets.values()].map(({ untilMs }) => untilMs - now).filter((left) => left > 0);
    return ends.length === 0 ? undefined : Math.max(SOON_MS, Math.min(...ends));
  }
}
