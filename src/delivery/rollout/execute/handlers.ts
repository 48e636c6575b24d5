import { UserError } from '../../../lib/errors.ts';
import { instanceSpecOf } from '../../fleet/index.ts';
import type { PreviewMatch, RouteShare } from '../../traffic/index.ts';
import { analyse } from '../judge/analyse.ts';
import { monitor, waitOut } from '../judge/monitor.ts';
import { obtainCertificate } from './obtain-certificate.ts';
import { runHooks } from '../jobs/hooks.ts';
import { runJob } from '../jobs/jobs.ts';
import { awaitCompleted, awaitHealthy } from './await-instance.ts';
import { drainInstance } from './drain.ts';
import { refreshTraffic, removeFromLane } from '../upkeep/refresh-traffic.ts';
import { smokeTest } from './smoke-test.ts';
import type { Standing } from '../plan/standing.ts';
import type { StepKind, StepOf } from '../plan/step.ts';
import { targetsOf, targetsOfShares } from './tcp-targets.ts';
import type { StepContext, World } from './world.ts';

type Handlers = { readonly [K in StepKind]: (step: StepOf<K>, context: StepContext) => Promise<void> };

/** How each step is done. Every handler may be run again after a crash: what is done already is success. */
const HANDLERS: Handlers = {
  'keep-image': ({ imageId, imageName }, { world }) => world.fleet.tagImage(imageId, imageName),
  'forget-image': ({ imageName }, { world }) => world.fleet.untagImage(imageName),
  'create-network': ({ network }, { world }) => world.fleet.createNetwork(network),
  'remove-network': ({ network }, { world }) => world.fleet.removeNetwork(network),
  'create-volume': ({ volume }, { world }) => world.fleet.createVolume(volume),
  'remove-volume': ({ volume }, { world }) => world.fleet.removeVolume(volume),
  'place-file': ({ placement }, { world }) => world.files.place(placement),
  'create-instance': createInstance,
  'connect-network': ({ instance, network, aliases }, { world }) => world.fleet.connect(instance, { network, aliases }),
  'disconnect-network': ({ instance, network }, { world }) => world.fleet.disconnect(instance, network),
  'start-instance': ({ instance }, { world }) => world.fleet.startInstance(instance),
  'wait-healthy': (step, { world, signal }) => awaitHealthy(step, { ...world, signal }),
  'wait-completed': (step, { world, signal }) => awaitCompleted(step, { ...world, signal }),
  'smoke-test': async (step, { world, signal }) =>
    await smokeTest(step, { address: await addressOf(world, step.instance, step.network), probe: world.probe, signal }),
  'add-to-lane': addToLane,
  'remove-from-lane': ({ lane, instance }, { world }) => removeFromLane(world.traffic, lane, instance),
  'drain-instance': (step, { world, signal }) => drainInstance(step, { traffic: world.traffic, signal }),
  'set-weights': async ({ changes }, { world }) => {
    // Requests are looked at until a while after the rollout, also when it is taken back.
    await world.traffic.setRoutes(new Map(changes.map(({ route, to }) => [route, { ...to, observed: true }])));
  },
  analyse,
  monitor,
  delay: waitOut,
  'set-tcp-weights': setTcpWeights,
  'set-route-options': ({ route, to }, { world }) => world.traffic.setRouteOptions(route, to),
  'set-preview': ({ route, lane, match }, { world }) => world.traffic.setPreview(route, lane, plainMatch(match)),
  'run-job': runJob,
  'run-hooks': runHooks,
  'switch-routes': switchRoutes,
  'switch-tcp': switchTcp,
  'remove-route': ({ route }, { world }) => world.traffic.removeRoute(route),
  'publish-port': ({ port }, { world }) => world.traffic.publishPort(port),
  'unpublish-port': ({ port }, { world }) => world.traffic.unpublishPort(port),
  'install-certificate': async ({ certificate }, { world }) => await world.certificates?.install(certificate),
  'obtain-certificate': obtainCertificate,
  'remove-certificate': ({ name }, { world }) => world.traffic.removeCertificate(name),
  'set-standing': setStanding,
  'stop-instance': ({ instance, leaving }, { world, signal }) =>
    leaving === undefined ? world.fleet.stopInstance(instance) : world.fleet.stopInstance(leaving.id, signal),
  'remove-instance': ({ instance, leaving }, { world }) => world.fleet.removeInstance(leaving?.id ?? instance),
  'refresh-traffic': (_step, { world, project }) => refreshTraffic(world, world.journal.standing(project), 'all'),
};

/** One step, by its handler. */
export function act<K extends StepKind>(step: StepOf<K>, context: StepContext): Promise<void> {
  const handler = HANDLERS[step.kind] as (step: StepOf<K>, context: StepContext) => Promise<void>;
  return handler(step, context);
}

async function createInstance(step: StepOf<'create-instance'>, { world, project }: StepContext): Promise<void> {
  const release = world.releases.get(project, step.release);
  const { service, index } = step;
  await world.fleet.createInstance(
    instanceSpecOf({ release, service, index, pathOf: (placement) => world.files.pathOf(placement) }),
  );
}

async function addToLane(step: StepOf<'add-to-lane'>, { world }: StepContext): Promise<void> {
  const { lane, instance: name, port } = step;
  const address = await addressOf(world, name, step.network);
  const state = await world.traffic.observe();
  const there = state.lanes.find(({ id }) => id === lane)?.instances.find((each) => each.name === name);
  if (there !== undefined && (there.address !== address || there.port !== port || there.state === 'draining')) {
    await removeFromLane(world.traffic, lane, name);
  }
  await world.traffic.addInstance(lane, { name, address, port });
}

async function switchRoutes(
  { changes }: StepOf<'switch-routes'>,
  { world: { traffic }, moved }: StepContext,
): Promise<void> {
  const shares = new Map<string, RouteShare>();
  for (const { route, to } of changes)
    if (to !== undefined) shares.set(route, { stable: to, candidate: null, weight: 0, observed: true });
  const [only] = shares;
  if (only !== undefined) moved(await (shares.size === 1 ? traffic.setRoute(...only) : traffic.setRoutes(shares)));
  for (const { route, to } of changes) if (to === undefined) await traffic.removeRoute(route);
}

async function switchTcp({ route, port, to }: StepOf<'switch-tcp'>, { world, moved }: StepContext): Promise<void> {
  if (to === undefined) return await world.traffic.removeRoute(route);
  moved(await world.traffic.setTcpRoute(route, await targetsOf(world.fleet, to, port)));
}

async function setTcpWeights({ route, port, to }: StepOf<'set-tcp-weights'>, { world }: StepContext): Promise<void> {
  await world.traffic.setTcpRoute(route, await targetsOfShares(world.fleet, to, port));
}

function plainMatch(match: StepOf<'set-preview'>['match']): PreviewMatch {
  return match.kind === 'host' ? { host: match.host } : { header: { name: match.name, value: match.value } };
}

function setStanding({ standing }: StepOf<'set-standing'>, { world, project }: StepContext): Promise<void> {
  const sinceMs = world.now().getTime();
  const dated: Standing = {
    ...standing,
    warm: standing.warm.map((warm) => ({ ...warm, sinceMs: warm.sinceMs ?? sinceMs })),
  };
  world.journal.setStanding(project, dated);
  return Promise.resolve();
}

/** Where traffic reaches an instance; one without a network of its own is on the host's. */
async function addressOf({ fleet }: World, name: string, network: string | undefined): Promise<string> {
  if (network === undefined) return '127.0.0.1';
  const instance = await fleet.inspect(name);
  const address = instance?.addresses[network];
  if (address !== undefined) return address;
  throw new UserError({
    code: 'instance-no-address',
    kind: 'failed',
    message: `${name} has no address on the network ${network} (it is ${instance?.state ?? 'gone'})`,
    fix: `Look why it stopped: \`bascule logs\`.`,
    details: { instance: name },
  });
}
