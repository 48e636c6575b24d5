import { messageOf, UserError } from '../../../lib/errors.ts';
import type { Fleet } from '../../fleet/index.ts';
import type { Failure, PlannedStep } from '../outcome.ts';

const LINES = 20;
const PATIENCE_MS = 2_000;

/** What is known about a failure before its instance is removed: the reason, its last lines, its health check. */
export async function collectEvidence(fleet: Fleet, error: unknown, step: PlannedStep | undefined): Promise<Failure> {
  const instance = instanceNamed(error);
  const seen = instance === undefined ? undefined : await fleet.inspect(instance).catch(() => undefined);
  const logs = given(error) ?? (seen === undefined ? [] : await lastLines(fleet, seen.name).catch(() => []));
  return {
    cancelled: false,
    ...(error instanceof UserError ? { code: error.code } : {}),
    reason: messageOf(error),
    fix: error instanceof UserError ? error.fix : "This is a bug in Bascule; the daemon's log says more.",
    logs,
    ...(step === undefined ? {} : { step }),
    ...(instance === undefined ? {} : { instance }),
    ...(seen?.healthOutput === undefined ? {} : { healthOutput: seen.healthOutput }),
  };
}

function instanceNamed(error: unknown): string | undefined {
  const name = error instanceof UserError ? error.details['instance'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** A job's or a hook's own output. */
function given(error: unknown): readonly string[] | undefined {
  const logs = error instanceof UserError ? error.details['logs'] : undefined;
  return Array.isArray(logs) ? logs.map(String) : undefined;
}

async function lastLines(fleet: Fleet, instance: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for await (const { text } of fleet.logs(instance, { follow: false, tail: LINES, signal })) lines.push(text);
  return lines.slice(-LINES);
}
