import { chainIdOf, type HistoryEntry, hexOf } from '../../../lib/oci/index.ts';
import type { Layer } from '../../image/index.ts';
import { classicCreatedBy } from '../plan/classic-history.ts';
import { actionText, keyOf } from '../plan/key.ts';
import type { StagePlan, Step } from '../plan/plan.ts';
import type { CachedResult } from './cache.ts';
import { ground, isLinked } from './linked.ts';
import { openInputs } from './step-inputs.ts';
import { performStep } from './perform.ts';
import type { Session } from './session.ts';
import { resultOf, type StageResult, type StageResults } from './stage-result.ts';

/** Runs the steps of one stage in order; what it reads of other stages it waits for. */
export async function runStage(session: Session, plan: StagePlan, results: StageResults): Promise<StageResult> {
  let state = await startOf(session, plan, results);
  let allCached = true;
  for (const step of plan.steps) {
    session.signal.throwIfAborted();
    const startedAt = performance.now();
    session.request.onProgress({
      kind: 'step-started',
      step: step.number,
      total: session.plan.totalSteps,
      text: step.text,
      stage: plan.name,
      line: step.position.line,
    });
    const next = await runStepOf({ session, state, step, results });
    allCached &&= next.cached;
    state = next.state;
    session.request.onProgress({
      kind: 'step-done',
      step: step.number,
      cached: isLinked(step) ? next.cached : allCached,
      durationMs: performance.now() - startedAt,
      shortId: next.shortId,
    });
  }
  return state;
}

async function startOf(session: Session, plan: StagePlan, results: StageResults): Promise<StageResult> {
  const { base } = plan;
  switch (base.kind) {
    case 'scratch':
      return { plan, layers: [], key: keyOf('scratch'), history: [], createdAt: undefined, baseImage: undefined };
    case 'stage': {
      const parent = await resultOf(results, base.index);
      return { ...parent, plan };
    }
    case 'image': {
      const layers = session.workshop.options.images.layersOf(base.image.id);
      for (const { diffId } of layers) session.held.add(diffId);
      const { history = [], created } = base.image.config;
      return {
        plan,
        layers,
        key: keyOfLayers(layers),
        history,
        createdAt: created === undefined ? undefined : new Date(created),
        baseImage: base.image.id,
      };
    }
  }
}

/** By content: a step that was done anew with another outcome gives all that stands on it other keys. */
function keyOfLayers(layers: readonly Layer[]): string {
  return keyOf('layers', chainIdOf(layers.map(({ diffId }) => diffId)) ?? '');
}

interface StepRun {
  readonly session: Session;
  readonly state: StageResult;
  readonly step: Step;
  readonly results: StageResults;
}

interface StepOutcome {
  readonly state: StageResult;
  readonly cached: boolean;
  readonly shortId: string;
}

async function runStepOf(run: StepRun): Promise<StepOutcome> {
  const { state, step } = run;
  if (step.action.kind === 'metadata') {
    const entry = entryOf(run, { key: state.key, createdAt: state.createdAt, isEmpty: true });
    return {
      state: { ...state, history: [...state.history, ...entry] },
      cached: true,
      shortId: state.key.slice(0, 12),
    };
  }
  const { key, result, cached } = await resultOfStep(run);
  const layer = result.diffId === undefined ? undefined : run.session.workshop.options.images.findLayer(result.diffId);
  const layers = layer === undefined ? state.layers : [...state.layers, layer];
  return {
    state: {
      ...state,
      key: layer === undefined ? state.key : keyOfLayers(layers),
      layers,
      history: [...state.history, ...entryOf(run, { key, createdAt: result.createdAt, isEmpty: layer === undefined })],
      createdAt: result.createdAt,
    },
    cached,
    shortId: (result.diffId === undefined ? key : hexOf(result.diffId)).slice(0, 12),
  };
}

interface Outcome {
  readonly key: string;
  readonly createdAt: Date | undefined;
  readonly isEmpty: boolean;
}

/** One entry of the history, or none. */
function entryOf({ session, step }: StepRun, { key, createdAt, isEmpty }: Outcome): readonly HistoryEntry[] {
  const isClassic = session.request.isClassic === true;
  const createdBy = isClassic ? classicCreatedBy(step, key) : step.createdBy;
  if (createdBy === undefined) return [];
  return [
    {
      ...(createdAt === undefined ? {} : { created: createdAt.toISOString() }),
      created_by: createdBy,
      ...(isClassic ? {} : { comment: 'buildkit.dockerfile.v0' }),
      ...(isEmpty ? { empty_layer: true } : {}),
    },
  ];
}

interface KeyedResult {
  readonly key: string;
  readonly result: CachedResult;
  readonly cached: boolean;
}

/**
 * Looks for the result first by what the step refers to, which costs nothing, then by the content that it reads
 * (an earlier stage that was made anew may have given the same files), and only then does the work.
 */
async function resultOfStep({ session, state, step, results }: StepRun): Promise<KeyedResult> {
  const { cache } = session.workshop;
  await using inputs = openInputs({ session, step, results });
  const text = textOf(session, step);
  const below = await ground(session, state, step);
  const references = await inputs.references();
  const quickKey = references === undefined ? undefined : keyOf(below, text, 'by-reference', references);
  const isFresh = isDoneAnew(session, state.plan);
  const find = (key: string): Promise<FoundResult | undefined> =>
    isFresh ? Promise.resolve(undefined) : findUsable(session, key);
  const quick = quickKey === undefined ? undefined : await find(quickKey);
  const key = quick?.contentKey ?? keyOf(below, text, await inputs.digest());
  const known = quick ?? (await find(key));
  const description = step.createdBy ?? step.text;
  const note = (result: CachedResult): void => {
    if (quickKey !== undefined && quick === undefined) cache.alias(quickKey, key);
    if (result.diffId !== undefined) session.held.add(result.diffId);
    const aliases = quickKey === undefined ? [] : [quickKey];
    session.used.set(key, { ...result, description, stage: state.plan.index, aliases });
  };
  if (known !== undefined) {
    cache.touch([key]);
    note(known);
    return { key, result: known, cached: true };
  }
  const done = await performOnce({ session, state, key }, () => performStep({ session, state, step, inputs }));
  cache.store(key, { ...done.result, description, sizeBytes: sizeOf(session, done.result) });
  note(done.result);
  return { key, result: done.result, cached: done.wasShared };
}

/** Of SOURCE_DATE_EPOCH come the times of files: a result without it is another one. */
function textOf({ request }: Session, step: Step): string {
  const text = actionText(step.action);
  return request.sourceDateEpoch === undefined ? text : keyOf(text, 'epoch', String(request.sourceDateEpoch));
}

function isDoneAnew({ request }: Session, { name, index }: StagePlan): boolean {
  if (request.noCache) return true;
  return request.noCacheStages?.some((wanted) => wanted.toLowerCase() === name || wanted === String(index)) ?? false;
}

type FoundResult = CachedResult & { readonly contentKey: string };

/** A result of this machine, or of a cache that was given. */
async function findUsable(session: Session, key: string): Promise<FoundResult | undefined> {
  const { cache, options } = session.workshop;
  const found = cache.find(key);
  const isUsable =
    found !== undefined && (found.diffId === undefined || options.images.findLayer(found.diffId) !== undefined);
  if (isUsable) return found;
  const imported = await session.imported.take(key);
  if (imported === undefined) return undefined;
  cache.store(imported.contentKey, { ...imported, sizeBytes: sizeOf(session, imported) });
  return imported;
}

function sizeOf(session: Session, { diffId }: CachedResult): number {
  return diffId === undefined ? 0 : (session.workshop.options.images.findLayer(diffId)?.sizeBytes ?? 0);
}

/** Steps with the same key, in one build or several, do the work once; when it fails, one of those that wait tries itself. */
async function performOnce(
  { session, state, key }: Pick<StepRun, 'session' | 'state'> & { readonly key: string },
  perform: () => Promise<CachedResult>,
): Promise<{ readonly result: CachedResult; readonly wasShared: boolean }> {
  const { running } = session.workshop;
  const inWork = isDoneAnew(session, state.plan) ? undefined : running;
  for (let other = inWork?.get(key); other !== undefined; other = inWork?.get(key)) {
    const shared = await orAborted(other, session.signal).catch(() => undefined);
    session.signal.throwIfAborted();
    if (shared !== undefined) return { result: shared, wasShared: true };
  }
  const own = session.semaphore.run(perform);
  running.set(key, own);
  try {
    return { result: await own, wasShared: false };
  } finally {
    if (running.get(key) === own) running.delete(key);
  }
}

/** A build that is cancelled does not wait for the work of another one. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const listener = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', listener, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', listener);
  }
}
