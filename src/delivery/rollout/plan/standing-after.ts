import { step } from './plan.ts';
import { hasCertificateChanges } from './certificates.ts';
import type { Draft } from './draft.ts';
import { optionSteps, plainPort, publishSteps, removedTraffic } from './ports.ts';
import { type SetRecord, setKey, type Standing, type WarmRelease } from './standing.ts';
import type { Step } from './step.ts';

/**
 * What stands when the traffic has moved.
 * @param stopped sets whose instances were stopped on the way, by `setKey`: what had them is no longer warm
 */
export function standingStep(draft: Draft, stopped: ReadonlySet<string> = new Set()): Step {
  return step('the switch is done', { kind: 'set-standing', standing: standingAfter(draft, stopped) });
}

function standingAfter({ scene, placed }: Draft, stopped: ReadonlySet<string>): Standing {
  const { target, standing, rollout, ports } = scene;
  const { drainMs } = target.model.settings;
  const keepMs = stopped.size === 0 ? target.model.settings.keepMs : 0;
  const sets = placed.map((set) => set.record);
  const now = new Map(sets.map((set) => [setKey(set), set]));
  const asNow = (old: readonly SetRecord[]): readonly SetRecord[] =>
    old.filter((set) => !stopped.has(setKey(set))).map((set) => now.get(setKey(set)) ?? set);
  const before: readonly WarmRelease[] =
    standing.current === undefined || standing.current.release === target.number
      ? []
      : [
          {
            release: standing.current.release,
            sets: asNow(standing.current.sets),
            sinceMs: null,
            keepMs,
            drainMs,
            rollout,
          },
        ];
  const older = standing.warm
    .filter(({ release }) => release !== target.number)
    .map((warm) => ({ ...warm, sets: asNow(warm.sets), keepMs: 0 }));
  return {
    current: { release: target.number, sets },
    warm: [...before, ...older],
    ports: ports.map(plainPort),
    prunedBelow: standing.prunedBelow,
  };
}

/** A changed job alone is no rollout: it runs when something else is rolled out. */
export function isUnchanged({ scene, placed }: Pick<Draft, 'scene' | 'placed'>): boolean {
  const { standing, target, kind } = scene;
  if (standing.current === undefined) return false;
  if (kind === 'rollback' && standing.current.release !== target.number) return false;
  const serving = new Set(standing.current.sets.map(setKey));
  const isSame = placed.every(
    ({ fresh, record, starting, leaving }) =>
      !fresh && starting.length === 0 && leaving.length === 0 && serving.has(setKey(record)),
  );
  if (!isSame || serving.size !== placed.length || hasCertificateChanges(scene)) return false;
  return (
    publishSteps(scene).length === 0 && removedTraffic(scene).ports.length === 0 && optionSteps(scene).length === 0
  );
}
