import { messageOf } from '../../../lib/errors.ts';
import type { RolloutRecord } from './journal.ts';
import type { Running } from './locks.ts';
import type { Parts } from '../parts.ts';
import { runRecord } from './run-rollout.ts';
import { refreshAll } from '../upkeep/watch-fleet.ts';

/**
 * What a killed daemon left open goes to its end: forward, or back where it was being undone. The projects are held
 * from the first moment on, so that no request comes in between.
 */
export async function resumeOpen(parts: Parts): Promise<void> {
  const open = parts.journal.unfinished();
  await Promise.all(open.map((record) => holdAndSettle(parts, record)));
  await refreshAll(parts);
}

async function holdAndSettle(parts: Parts, record: RolloutRecord): Promise<void> {
  const { project, kind, author } = record;
  const startedAt = new Date(record.startedMs);
  await parts.locks.hold(project, { kind, author, startedAt }, (running) => settle(parts, record, running));
}

/** A rollout that could not be ended (a full disk, for instance) is ended before another one of its project begins. */
export async function settleOpen(parts: Parts, project: string, running: Running): Promise<void> {
  for (const record of parts.journal.unfinished()) {
    if (record.project === project) await settle(parts, record, { ...running });
  }
}

async function settle(parts: Parts, record: RolloutRecord, running: Running): Promise<void> {
  const { project, number: rollout, kind } = record;
  parts.log.warn({ project, rollout, kind }, 'a rollout was interrupted; it goes on');
  Object.assign(running, { rollout, from: record.from, to: record.to });
  const watch = { onProgress: () => {}, signal: new AbortController().signal };
  try {
    await parts.ensureTraffic();
    const { result, release } = await runRecord(parts, { record, running, watch });
    parts.log.info({ project, rollout, result, release }, 'the interrupted rollout has ended');
  } catch (error) {
    parts.log.error({ project, rollout, err: error }, `the interrupted rollout: ${messageOf(error)}`);
  }
}
