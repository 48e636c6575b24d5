import { formatDuration } from '../../../lib/duration.ts';
import { unreachable } from '../../../lib/errors.ts';
import type { PublishedPort } from '../../traffic/index.ts';
import type { Standing } from './standing.ts';
import type { StepBody, WeightChange } from './step.ts';

/** What a step does, in one line. */
export function titleOf(step: StepBody): string {
  switch (step.kind) {
    case 'keep-image':
      return `keep image ${step.imageName}`;
    case 'forget-image':
      return `forget image ${step.imageName}`;
    case 'create-network':
      return `create network ${step.network.name}`;
    case 'remove-network':
      return `remove network ${step.network}`;
    case 'create-volume':
      return `create volume ${step.volume.name}`;
    case 'remove-volume':
      return `remove volume ${step.volume}`;
    case 'place-file':
      return `place file ${step.placement.version.slice(0, 12)}`;
    case 'connect-network':
      return `connect ${step.instance} to ${step.network}`;
    case 'disconnect-network':
      return `disconnect ${step.instance} from ${step.network}`;
    case 'add-to-lane':
      return `put ${step.instance} into ${step.lane}`;
    case 'remove-from-lane':
      return `take ${step.instance} out of ${step.lane}`;
    case 'switch-routes':
      return `switch ${step.changes.map((change) => change.route).join(', ')}`;
    case 'switch-tcp':
      return `switch ${step.route} (TCP)`;
    case 'remove-route':
      return `remove route ${step.route}`;
    case 'publish-port':
      return `publish port ${sayPort(step.port)}`;
    case 'unpublish-port':
      return `unpublish port ${sayPort(step.port)}`;
    case 'install-certificate':
      return `install the certificate of ${step.certificate.name}`;
    case 'obtain-certificate':
      return `get a certificate for ${step.host}`;
    case 'remove-certificate':
      return `remove the certificate of ${step.name}`;
    case 'set-standing':
      return sayStanding(step.standing);
    case 'refresh-traffic':
      return 'check addresses';
    case 'set-weights':
      return sayWeights(step.changes);
    case 'set-tcp-weights':
      return `give ${percent(step.to.at(-1)?.weight ?? 0)} of ${step.route} (TCP) to ${sayInstances(step.to.at(-1)?.instances)}`;
    case 'set-route-options':
      return `set options of ${step.route}`;
    case 'analyse':
      return sayAnalysis(step);
    case 'monitor':
      return `watch ${step.instances.join(', ')} for ${formatDuration(step.durationMs)}`;
    case 'delay':
      return `wait ${formatDuration(step.durationMs)}`;
    case 'set-preview':
      return step.lane === null ? `end the preview of ${step.route}` : `preview ${step.route} in ${step.lane}`;
    case 'run-job':
      return `run job ${step.job}`;
    default:
      return titleOfInstanceStep(step);
  }
}

type InstanceStep = Extract<
  StepBody,
  {
    kind:
      | 'create-instance'
      | 'start-instance'
      | 'wait-healthy'
      | 'wait-completed'
      | 'smoke-test'
      | 'stop-instance'
      | 'remove-instance'
      | 'drain-instance'
      | 'run-hooks';
  }
>;

function titleOfInstanceStep(step: InstanceStep): string {
  switch (step.kind) {
    case 'create-instance':
      return `create ${step.instance}`;
    case 'start-instance':
      return `start ${step.instance}`;
    case 'wait-healthy':
      return `wait until ${step.instance} is healthy`;
    case 'wait-completed':
      return `wait until ${step.instance} has completed`;
    case 'smoke-test':
      return `smoke test ${step.instance}${step.path}`;
    case 'stop-instance':
      return `stop ${step.instance}`;
    case 'remove-instance':
      return `remove ${step.instance}`;
    case 'drain-instance':
      return step.lane === undefined ? `drain ${step.instance}` : `drain ${step.instance} in ${step.lane}`;
    case 'run-hooks':
      return `run ${step.hook} of ${step.instance}`;
    default:
      return unreachable(step);
  }
}

/** One weight for all routes in a canary; each its own while services roll. */
function sayWeights(changes: readonly WeightChange[]): string {
  const ended = changes.every(({ to, from }) => to.candidate === null && to.stable === from.candidate);
  if (ended) return `switch ${changes.map(({ route }) => route).join(', ')}`;
  const weights = new Set(changes.map(({ to }) => to.weight));
  if (weights.size === 1) return `give ${percent(changes[0]!.to.weight)} to the new release`;
  return `give the new release ${changes.map(({ route, to }) => `${percent(to.weight)} of ${route}`).join(', ')}`;
}

function sayAnalysis({ sides, until, weight, stage, stages }: Extract<StepBody, { kind: 'analyse' }>): string {
  if (stages === 0 && until.confirmed === true) return 'wait for `bascule rollout promote`';
  const what = sides.length === 0 ? 'watch the new release' : 'compare both releases';
  return `${what} at ${percent(weight)} (stage ${stage} of ${stages})`;
}

function sayInstances(instances: readonly string[] = []): string {
  return instances.length > 3 ? `${instances.length} instances` : instances.join(', ');
}

/** Basis points as people read them. */
function percent(points: number): string {
  return `${points / 100} %`;
}

function sayPort({ hostAddress, port, protocol, route, host, path, tls }: PublishedPort): string {
  const match = host === undefined && path === undefined ? '' : ` (${host ?? ''}${path ?? ''})`;
  const spoken = tls === true ? 'https' : protocol;
  return `${hostAddress === undefined ? '' : `${hostAddress}:`}${port}/${spoken}${match} for ${route}`;
}

function sayStanding({ current, warm }: Standing): string {
  const kept = warm.length === 0 ? '' : `, warm: ${warm.map(({ release }) => release).join(', ')}`;
  return current === undefined ? 'nothing serves any more' : `release ${current.release} is current${kept}`;
}
