import { messageOf } from '../../../lib/errors.ts';
import type { RolloutRecord } from './journal.ts';
import type { Running } from './locks.ts';
import { isBackground } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { runAside } from './run-aside.ts';
import { runRecord } from './run-rollout.ts';
import { refreshAll } from '../upkeep/watch-fleet.ts';

/**
 * What a killed daemon left open goes to its end: forward, or back where it was being undone. The projects are held
 * from the first moment on, so that no request comes in between.
 */
export async function resumeOpen(parts: Parts): Promise<void> {
  const open = Map.groupBy(parts.journal.unfinished(), ({ project }) => project);
  await Promise.all([...open.values()].map((records) => holdAndSettle(parts, records)));
  await refreshAll(parts);
}

/** A person's rollout held the project, else the latest of them; the others went on beside. */
async function holdAndSettle(parts: Parts, records: readonly RolloutRecord[]): Promise<void> {
  const inOrder = records.toSorted((a, b) => a.number - b.number);
  const main = inOrder.findLast(({ kind }) => !isBackground(kind)) ?? inOrder.at(-1);
  if (main === undefined) return;
  const { project, kind, author, startedMs } = main;
  await parts.locks.hold(project, { kind, author, startedAt: new Date(startedMs) }, async (running) => {
    const beside = inOrder.filter((record) => record !== main);
    for (const record of beside) await settle(parts, record, { running: { ...running }, signal: TAKE_BACK });
    await settle(parts, main, { running });
  });
}

/** A rollout that could not be ended (a full disk, for instance) is ended before another one of its project begins. */
export async function settleOpen(parts: Parts, project: string, running: Running): Promise<void> {
  const beside = new Set(parts.asides.of(project).map(({ rollout }) => rollout));
  for (const record of parts.journal.unfinished()) {
    if (record.project !== project || beside.has(record.number)) continue;
    await settle(parts, record, { running: { ...running } });
  }
}

interface Settling {
  readonly running: Running;
  /** To take it back. */
  readonly signal?: AbortSignal;
}

const NEVER = new AbortController().signal;
/** What healed beside a rollout is looked at anew. */
const TAKE_BACK = AbortSignal.abort();

async function settle(parts: Parts, record: RolloutRecord, { running, signal = NEVER }: Settling): Promise<void> {
  const { project, number: rollout, kind } = record;
  parts.log.warn({ project, rollout, kind }, 'a rollout was interrupted; it goes on');
  Object.assign(running, { rollout, from: record.from, to: record.to });
  try {
    await parts.ensureTraffic();
    if (kind === 'retire') return await settleBeside(parts, record, running);
    const watch = { onProgress: () => {}, signal };
    const { result, release } = await runRecord(parts, { record, running, watch });
    parts.log.info({ project, rollout, result, release }, 'the interrupted rollout has ended');
  } catch (error) {
    parts.log.error({ project, rollout, err: error }, `the interrupted rollout: ${messageOf(error)}`);
  }
}

async function settleBeside(parts: Parts, record: RolloutRecord, running: Running): Promise<void> {
  const { project, number: rollout } = record;
  await runAside(parts, {
    project,
    steps: parts.journal.steps(project, rollout).map(({ step }) => step),
    begin: (watch) => ({ rollout, work: runRecord(parts, { record, running, watch }) }),
  });
}
