import type { CanarySettings } from '../../../compose/index.ts';
import { type Plan, step } from '../plan.ts';
import { type Draft, type Waves } from '../draft.ts';
import { planOf } from '../finish.ts';
import { changesWhere, isAdded, type RouteChanges } from '../routes.ts';
import { guardedOf, laterChanges, portionsOf, settleWaves, standUpWaves, tipOverWaves } from '../stages.ts';
import { httpShares, tcpShares, weightSteps } from '../weights.ts';
import type { StageEnd, Step } from '../step.ts';

/**
 * Canary: the whole new set beside the old one, as in blue-green; then its share of the traffic grows from stage to
 * stage, and both sides are compared on it, before the rest follows. Weights go back first when it is undone.
 * undefined: no traffic of the old release would move to a new set, so that there is nothing to compare.
 */
export function planCanary(draft: Draft): Plan | undefined {
  const weighed = changesWhere(laterChanges(draft), (change) => !isAdded(change));
  if (weighed.http.length + weighed.tcp.length === 0) return undefined;
  return planOf(draft, 'canary', [
    ...standUpWaves(draft, portionsOf(draft)),
    ...stageWaves(draft, weighed),
    ...tipOverWaves(draft),
    ...settleWaves(draft),
  ]);
}

function stageWaves(draft: Draft, weighed: RouteChanges): Waves {
  const { steps } = draft.scene.target.model.settings.canary;
  return steps.flatMap((each, index) => {
    const before = steps[index - 1]?.weight ?? 0;
    return [
      weigh(draft, weighed, { weight: each.weight, before, isFirst: index === 0 }),
      [analyse(draft, weighed, { each, stage: index + 1, stages: steps.length })],
    ];
  });
}

type CanaryStep = CanarySettings['steps'][number];

interface Growth {
  readonly weight: number;
  readonly before: number;
  readonly isFirst: boolean;
}

function weigh({ scene }: Draft, { http, tcp }: RouteChanges, { weight, before, isFirst }: Growth): readonly Step[] {
  const { canary, drainMs } = scene.target.model.settings;
  const cohorts = canary.cohorts.length === 0 ? {} : { cohorts: canary.cohorts };
  return weightSteps('the next stage', {
    drainMs,
    http: http.map((change) => {
      const share = httpShares(change, cohorts);
      return { route: change.route, to: share.at(weight), from: isFirst ? share.before : share.at(before) };
    }),
    tcp: tcp.map((change) => {
      const share = tcpShares(change);
      return { ...change, to: share.at(weight), from: isFirst ? share.before : share.at(before) };
    }),
  });
}

interface Stage {
  readonly each: CanaryStep;
  readonly stage: number;
  readonly stages: number;
}

function analyse({ placed }: Draft, { http }: RouteChanges, { each, stage, stages }: Stage): Step {
  const sides = http.flatMap(({ service, route, to, from }) =>
    to === undefined || from === undefined ? [] : [{ service, route, stable: from, candidate: to }],
  );
  const body = { kind: 'analyse', stage, stages, weight: each.weight, until: endOf(each), sides } as const;
  return step('declared stage of the canary', { ...body, guarded: guardedOf(placed) });
}

function endOf({ forMs, requests, pause }: CanaryStep): StageEnd {
  return {
    ...(forMs === undefined ? {} : { forMs }),
    ...(requests === undefined ? {} : { requests }),
    ...(pause === true ? { confirmed: true } : {}),
  };
}
