import { nearestWord } from '../../lib/nearest.ts';
import type { Draft, DraftService, Fail } from './draft.ts';
import { dependenciesOf } from './implicit.ts';
import { checkResources } from './check-resources.ts';

type Named = readonly [name: string, service: DraftService];

/** Checks what no value shows by itself: references, contradictions, circles. Throws `compose-invalid`. */
export function checkDraft(draft: Draft, fail: Fail): void {
  for (const named of Object.entries(draft.services ?? {})) {
    checkImage(named, fail);
    checkBuild(named, draft, fail);
    checkNetworks(named, draft, fail);
    checkMounts(named, draft, fail);
    checkFiles(named, draft, fail);
    checkDependencies(named, draft, fail);
    checkResources(named, fail);
  }
  checkContainerNames(draft, fail);
  checkFileObjects(draft, fail);
  checkExternalVolumes(draft, fail);
  checkCircles(draft, fail);
}

function checkImage([name, service]: Named, fail: Fail): void {
  if (service.image !== undefined || service.build !== undefined || service.provider !== undefined) return;
  throw fail(
    ['services', name],
    'the service has neither an image nor a build',
    'Add "image: name" or "build: ./folder".',
  );
}

function checkBuild([name, service]: Named, draft: Draft, fail: Fail): void {
  const { build } = service;
  if (build === undefined) return;
  const at = ['services', name, 'build'];
  if (build.dockerfile !== undefined && build.dockerfile_inline !== undefined) {
    throw fail(at, 'dockerfile and dockerfile_inline exclude each other', 'Keep one of the two.');
  }
  const { platforms } = build;
  if (service.platform !== undefined && platforms !== undefined && !platforms.includes(service.platform)) {
    throw fail(
      [...at, 'platforms'],
      `does not have the service's own platform ${service.platform}`,
      `Add "${service.platform}".`,
    );
  }
  for (const secret of build.secrets ?? []) {
    requireName({ kind: 'secret', name: secret.source, known: draft.secrets, at: [...at, 'secrets'] }, fail);
  }
  for (const context of Object.values(build.additional_contexts ?? {})) {
    if (!context.startsWith('service:')) continue;
    requireName(
      { kind: 'service', name: context.slice(8), known: draft.services, at: [...at, 'additional_contexts'] },
      fail,
    );
  }
}

interface Reference {
  readonly kind: string;
  readonly name: string;
  readonly known: Readonly<Record<string, unknown>> | undefined;
  readonly at: readonly (string | number)[];
}

function requireName({ kind, name, known = {}, at }: Reference, fail: Fail): void {
  if (Object.hasOwn(known, name)) return;
  const near = nearestWord(name, Object.keys(known));
  const define = kind === 'service' ? 'Add the service' : `Add "${kind}s: { ${name}: … }" at the top level`;
  const fix = near === undefined ? `${define}, or correct the name.` : `Did you mean "${near}"?`;
  throw fail(at, `there is no ${kind} "${name}"`, fix);
}

function checkNetworks([name, service]: Named, draft: Draft, fail: Fail): void {
  const at = ['services', name];
  const networks = Object.keys(service.networks ?? {});
  if (service.network_mode !== undefined && networks.length > 0) {
    throw fail([...at, 'network_mode'], 'network_mode and networks exclude each other', 'Keep one of the two.');
  }
  for (const network of networks.filter((one) => one !== 'default')) {
    requireName({ kind: 'network', name: network, known: draft.networks, at: [...at, 'networks', network] }, fail);
  }
}

function checkMounts([name, service]: Named, draft: Draft, fail: Fail): void {
  const targets = new Set((service.tmpfs ?? []).map((mount) => mount.split(':')[0]));
  for (const [index, mount] of (service.volumes ?? []).entries()) {
    const at = ['services', name, 'volumes', index];
    if (targets.has(mount.target))
      throw fail(at, `${mount.target} is mounted twice, by tmpfs too`, 'Remove one of the two.');
    if (mount.type !== 'volume' || mount.source === undefined || mount.source === '') continue;
    requireName({ kind: 'volume', name: mount.source, known: draft.volumes, at }, fail);
  }
}

function checkFiles([name, service]: Named, draft: Draft, fail: Fail): void {
  for (const kind of ['config', 'secret'] as const) {
    for (const [index, { source }] of (service[`${kind}s`] ?? []).entries()) {
      requireName({ kind, name: source, known: draft[`${kind}s`], at: ['services', name, `${kind}s`, index] }, fail);
    }
  }
}

function checkDependencies([name, service]: Named, draft: Draft, fail: Fail): void {
  for (const other of Object.keys(dependenciesOf(service))) {
    requireName(
      { kind: 'service', name: other, known: draft.services, at: ['services', name, 'depends_on', other] },
      fail,
    );
  }
}

function checkContainerNames(draft: Draft, fail: Fail): void {
  const owners = new Map<string, string>();
  for (const [name, service] of Object.entries(draft.services ?? {})) {
    if (service.container_name === undefined) continue;
    const at = ['services', name, 'container_name'];
    const owner = owners.get(service.container_name);
    if (owner !== undefined)
      throw fail(at, `"${service.container_name}" is the name of service "${owner}" already`, 'Choose another.');
    owners.set(service.container_name, name);
    const replicas = service.deploy?.replicas ?? service.scale ?? 1;
    if (replicas > 1) throw fail(at, `${replicas} containers cannot share one name`, 'Remove container_name.');
  }
}

function checkFileObjects(draft: Draft, fail: Fail): void {
  for (const kind of ['configs', 'secrets'] as const) {
    for (const [name, object] of Object.entries(draft[kind] ?? {})) {
      if (object.external !== undefined && object.external !== false) continue;
      if (object.driver !== undefined) continue;
      const ways =
        kind === 'configs' ? (['file', 'environment', 'content'] as const) : (['file', 'environment'] as const);
      const given = ways.filter((way) => object[way] !== undefined);
      if (given.length === 1) continue;
      const message =
        given.length === 0 ? `needs one of ${ways.join(', ')}` : `${given.join(' and ')} exclude each other`;
      throw fail([kind, name], message, 'Say once where its content comes from.');
    }
  }
}

function checkExternalVolumes(draft: Draft, fail: Fail): void {
  for (const [name, volume] of Object.entries(draft.volumes ?? {})) {
    if (volume.external === undefined || volume.external === false) continue;
    const other = (['driver', 'driver_opts', 'labels'] as const).find((key) => volume[key] !== undefined);
    if (other !== undefined)
      throw fail(['volumes', name, other], `external and ${other} exclude each other`, 'Keep one of the two.');
  }
}

function checkCircles(draft: Draft, fail: Fail): void {
  const services = draft.services ?? {};
  const done = new Set<string>();
  const visit = (name: string, chain: readonly string[]): void => {
    const start = chain.indexOf(name);
    if (start >= 0) {
      const circle = [...chain.slice(start), name];
      throw fail(
        ['services', chain.at(-1) ?? name, 'depends_on'],
        `services depend on each other in a circle: ${circle.join(' → ')}`,
        'Break the circle.',
      );
    }
    if (done.has(name) || !Object.hasOwn(services, name)) return;
    const dependencies = Object.keys(dependenciesOf(services[name] as DraftService));
    for (const other of dependencies) visit(other, [...chain, name]);
    done.add(name);
  };
  for (const name of Object.keys(services).sort()) visit(name, []);
}
