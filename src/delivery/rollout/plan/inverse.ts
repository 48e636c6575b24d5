import type { Step, StepBody } from './step.ts';
import { titleOf } from './step-title.ts';

/** What takes a step back, one act after the other. Empty: nothing has to be taken back, or nothing can be. */
export function inversesOf(step: Step): readonly Step[] {
  const cause = `undo: ${titleOf(step)}`;
  return inverseBodies(step).map((body) => ({ ...body, cause }));
}

function inverseBodies(step: StepBody): readonly StepBody[] {
  switch (step.kind) {
    case 'keep-image':
      return [{ kind: 'forget-image', imageName: step.imageName }];
    case 'create-network':
      return [{ kind: 'remove-network', network: step.network.name }];
    case 'create-instance':
      return [{ kind: 'remove-instance', instance: step.instance }];
    case 'connect-network':
      return [{ kind: 'disconnect-network', instance: step.instance, network: step.network }];
    case 'start-instance':
      return stopsOf(step);
    case 'run-hooks':
      return step.hook === 'pre_stop' ? [{ ...step, hook: 'post_start' }] : [];
    case 'run-job':
      return [
        { kind: 'stop-instance', instance: step.instance },
        { kind: 'remove-instance', instance: step.instance },
      ];
    case 'stop-instance': {
      const start: StepBody = { kind: 'start-instance', instance: step.instance, stateful: true };
      return step.fit === undefined ? [start] : [start, { kind: 'wait-healthy', instance: step.instance, ...step.fit }];
    }
    case 'publish-port':
      return step.from === undefined
        ? [{ kind: 'unpublish-port', port: step.port }]
        : [{ kind: 'publish-port', port: step.from, from: step.port }];
    default:
      return trafficInverses(step);
  }
}

/** Whoever has nothing to lose is killed when it is removed. */
function stopsOf({ instance, stateful, hooks }: Extract<StepBody, { kind: 'start-instance' }>): readonly StepBody[] {
  const stop: StepBody = { kind: 'stop-instance', instance };
  if (hooks !== undefined) return [{ kind: 'run-hooks', instance, hook: 'pre_stop', ...hooks }, stop];
  return stateful ? [stop] : [];
}

/** Requests that run on what traffic is taken from end first. */
function trafficInverses(step: StepBody): readonly StepBody[] {
  switch (step.kind) {
    case 'add-to-lane': {
      const { kind: _, drainMs: deadlineMs = 0, ...place } = step;
      const { lane, instance } = step;
      return [
        { kind: 'drain-instance', ...place, deadlineMs },
        { kind: 'remove-from-lane', lane, instance },
      ];
    }
    case 'remove-from-lane': {
      const { lane, instance, place } = step;
      return place === undefined ? [] : [{ kind: 'add-to-lane', lane, instance, ...place }];
    }
    case 'drain-instance': {
      const { kind: _, deadlineMs: drainMs, lane, ...place } = step;
      return lane === undefined ? [] : [{ kind: 'add-to-lane', lane, ...place, drainMs }];
    }
    case 'set-weights':
    case 'switch-routes':
      return [turned(step)];
    case 'switch-tcp':
      return [{ ...step, to: step.from, from: step.to }];
    case 'set-tcp-weights':
      return [{ ...step, to: step.from, from: step.to }, ...drainsOf(step)];
    case 'set-route-options':
      return [{ ...step, to: step.from, from: step.to }];
    case 'set-preview':
      return step.lane === null ? [] : [{ ...step, lane: null }];
    default:
      return [];
  }
}

function turned<S extends Extract<StepBody, { kind: 'set-weights' | 'switch-routes' }>>(step: S): S {
  return { ...step, changes: step.changes.map(({ route, to, from }) => ({ route, to: from, from: to })) };
}

/** Those that a change of TCP weights has brought in. */
function drainsOf({ to, from, port, drainMs }: Extract<StepBody, { kind: 'set-tcp-weights' }>): readonly StepBody[] {
  const before = new Set(from.flatMap(({ instances }) => instances));
  const added = to.flatMap(({ instances, network }) =>
    instances.filter((name) => !before.has(name)).map((instance) => ({ instance, network })),
  );
  return added.map(({ instance, network }) => ({
    kind: 'drain-instance',
    instance,
    port,
    deadlineMs: drainMs,
    ...(network === undefined ? {} : { network }),
  }));
}
