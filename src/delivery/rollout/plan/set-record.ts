import type { Service } from '../../compose/index.ts';
import { primaryNetwork } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import type { Scene } from './scene.ts';
import type { SetRecord } from './standing.ts';

/** What a set that starts anew is. */
export function freshRecord({ target, liveBy }: Scene, name: string, instances: readonly string[]): SetRecord {
  const released = target.services[name]!;
  const service = target.model.services[name]!;
  const network = primaryNetwork(target.model, target.number, name);
  const before = liveBy.get(name)?.find((set) => set.origin === target.number);
  return {
    service: name,
    origin: target.number,
    identity: released.identity,
    ownIdentity: released.ownIdentity,
    stateful: released.stateful,
    job: released.job,
    mayExit: released.job || mayExit(service),
    instances,
    ...(network === undefined ? {} : { network }),
    lanes: before?.lanes ?? {},
    writes: writesOf(service, target),
  };
}

/** What is not restarted after success is meant to end some time. */
function mayExit({ restart, deploy }: Service): boolean {
  const condition = deploy?.restart_policy?.condition ?? restart?.split(':')[0];
  return condition === 'no' || condition === 'none' || condition === 'on-failure';
}

function writesOf(service: Service, { model }: Release): readonly string[] {
  return (service.volumes ?? []).flatMap((mount) => {
    if (mount.read_only === true) return [];
    if (mount.type === 'bind') return [mount.source];
    if (mount.type !== 'volume' || mount.source === undefined) return [];
    return [model.volumes[mount.source]?.name ?? `${model.name}_${mount.source}`];
  });
}
