import type { DraftService } from './draft.ts';
import type { Dependency } from './service.ts';

/** What a service depends on: what it says, and what its links, namespaces and volumes_from imply. */
export function dependenciesOf(service: DraftService): Readonly<Record<string, Dependency>> {
  const implied: [string, Dependency][] = [];
  const add = (name: string, restart: boolean) =>
    implied.push([name, { condition: 'service_started', ...(restart && { restart }), required: true }]);
  for (const link of service.links ?? []) add(link.split(':')[0] ?? link, true);
  for (const key of ['network_mode', 'ipc', 'pid', 'uts', 'cgroup'] as const) {
    const value = service[key];
    if (typeof value === 'string' && value.startsWith('service:')) add(value.slice('service:'.length), true);
  }
  for (const from of service.volumes_from ?? []) {
    if (!from.startsWith('container:')) add(from.split(':')[0] ?? from, false);
  }
  return Object.fromEntries([...implied.toReversed(), ...Object.entries(service.depends_on ?? {})]);
}
