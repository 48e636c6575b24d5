import type { Draft, DraftService } from './draft.ts';
import { buildArguments, type EnvironmentSource, environmentOf, labelsOf } from './environment.ts';
import { dependenciesOf } from './implicit.ts';
import { recordOf } from './kinds.ts';
import { childOf, type MapNode } from './node.ts';
import { absolutePath } from './paths.ts';
import type { ProjectSettings, ServiceSettings } from './project-settings.ts';
import type { FileObject, Network, Project, Volume } from './project.ts';
import type { Build, Service } from './service.ts';
import { readProjectSettings, readServiceSettings } from './settings.ts';

export interface ResolveSource extends EnvironmentSource {
  readonly name: string;
  readonly directory: string;
  readonly profiles: readonly string[];
  /** The tree that the draft was read from. */
  readonly root: MapNode;
}

/** The project of a checked draft: services of active profiles, defaults and names filled in, unused parts left out. */
export function resolveProject(draft: Draft, source: ResolveSource): Project {
  const active = activeServices(draft, source);
  const services = recordOf(
    Object.entries(active).map(([name, service]) => [name, resolveService(name, service, source)] as const),
  );
  const used = usesOf(Object.values(services));
  return {
    name: source.name,
    services,
    networks: pick({ default: {}, ...draft.networks }, used.networks, (key, network) =>
      resolveNetwork(key, network, source.name),
    ),
    volumes: pick(draft.volumes, used.volumes, (key, volume) => resolveVolume(key, volume, source)),
    configs: pick(draft.configs, used.configs, (key, file) => resolveFile(key, file, source.name)),
    secrets: pick(draft.secrets, used.secrets, (key, file) => resolveFile(key, file, source.name)),
    models: draft.models ?? {},
    extensions: recordOf(Object.entries(draft).filter(([key]) => key.startsWith('x-'))),
    settings: withProgramPaths(readProjectSettings(childOf(source.root, 'x-bascule')), source.directory),
  };
}

function activeServices(draft: Draft, { profiles, fail }: ResolveSource): Readonly<Record<string, DraftService>> {
  const isActive = ({ profiles: own = [] }: DraftService) =>
    own.length === 0 || profiles.includes('*') || own.some((profile) => profiles.includes(profile));
  const active = Object.entries(draft.services ?? {}).filter(([, service]) => isActive(service));
  const names = new Set(active.map(([name]) => name));
  for (const [name, service] of active) {
    for (const [other, { required }] of Object.entries(dependenciesOf(service))) {
      if (!required || names.has(other)) continue;
      const profile = draft.services?.[other]?.profiles?.join(' or ') ?? '';
      throw fail(
        ['services', name, 'depends_on', other],
        `"${other}" is not active`,
        `Activate its profile (${profile}), or write "required: false".`,
      );
    }
  }
  return recordOf(active);
}

function resolveService(name: string, draft: DraftService, source: ResolveSource): Service {
  const { env_file: _files, label_file: _labels, build, pull_policy, networks, ...rest } = draft;
  const { deploy, scale } = draft;
  const dependencies = dependenciesOf(draft);
  const environment = environmentOf(name, draft, source);
  const labels = labelsOf(name, draft, source);
  const joined =
    Object.keys(networks ?? {}).length > 0
      ? networks
      : draft.network_mode === undefined
        ? { default: null }
        : undefined;
  const settingsNode = childOf(childOf(childOf(source.root, 'services'), name), 'x-bascule');
  return {
    ...rest,
    command: draft.command ?? null,
    entrypoint: draft.entrypoint ?? null,
    ...(build !== undefined && { build: resolveBuild(build, source) }),
    ...(environment !== undefined && { environment }),
    ...(labels !== undefined && { labels }),
    ...(joined !== undefined && draft.provider === undefined && { networks: joined }),
    ...(Object.keys(dependencies).length > 0 && { depends_on: dependencies }),
    ...(deploy !== undefined && { deploy: scale === undefined ? deploy : { replicas: scale, ...deploy } }),
    ...(pull_policy !== undefined && { pull_policy: pull_policy === 'if_not_present' ? 'missing' : pull_policy }),
    settings: withAbsolutePaths(readServiceSettings(settingsNode, `services.${name}.x-bascule`), source.directory),
  };
}

/** Commands that guard run elsewhere: `./check` is meant beside the Compose file. A bare name is found on the PATH. */
function withProgramPaths(settings: ProjectSettings, directory: string): ProjectSettings {
  const commands = settings.analysis.commands.map((guard) => {
    const [program = '', ...args] = guard.run;
    return program.includes('/') ? { ...guard, run: [absolutePath(program, directory), ...args] } : guard;
  });
  return { ...settings, analysis: { ...settings.analysis, commands } };
}

function withAbsolutePaths(settings: ServiceSettings, directory: string): ServiceSettings {
  const { tls } = settings;
  if (tls?.certificate === undefined || tls.key === undefined) return settings;
  const paths = { certificate: absolutePath(tls.certificate, directory), key: absolutePath(tls.key, directory) };
  return { ...settings, tls: { ...tls, ...paths } };
}

function resolveBuild({ dockerfile = 'Dockerfile', args, ...rest }: Build, { lookup }: ResolveSource): Build {
  const resolved = buildArguments(args ?? {}, lookup);
  return {
    ...rest,
    ...(rest.dockerfile_inline === undefined && dockerfile !== '' && { dockerfile }),
    ...(Object.keys(resolved).length > 0 && { args: resolved }),
  };
}

type Values<T> = T extends Readonly<Record<string, infer V>> ? V : never;
type DraftNetwork = Values<NonNullable<Draft['networks']>>;
type DraftVolume = Values<NonNullable<Draft['volumes']>>;
type DraftFile = Values<NonNullable<Draft['configs']>>;

/** `external: true`, the deprecated `external: {name}`, and the name that follows. */
function nameAndExternal(
  key: string,
  object: { readonly name?: string } & Pick<DraftFile, 'external'>,
  project: string,
) {
  const { external } = object;
  const isExternal = external !== undefined && external !== false;
  const deprecated = typeof external === 'object' ? external.name : undefined;
  const fallback = isExternal ? key : `${project}_${key}`;
  return { name: object.name ?? deprecated ?? fallback, ...(isExternal && { external: true }) };
}

function resolveNetwork(key: string, network: DraftNetwork, project: string): Network {
  const { external: _, ...rest } = network;
  return { ...rest, ...nameAndExternal(key, network, project), ipam: network.ipam ?? {} };
}

function resolveVolume(key: string, volume: DraftVolume, { name, directory }: ResolveSource): Volume {
  const { external: _, driver_opts, ...rest } = volume;
  const bind = volume.driver === 'local' && driver_opts?.['o'] === 'bind';
  const device = driver_opts?.['device'];
  const options =
    bind && device !== undefined ? { ...driver_opts, device: absolutePath(device, directory) } : driver_opts;
  return { ...rest, ...(options !== undefined && { driver_opts: options }), ...nameAndExternal(key, volume, name) };
}

function resolveFile(key: string, file: DraftFile, project: string): FileObject {
  const { external: _, ...rest } = file;
  return { ...rest, ...nameAndExternal(key, file, project) };
}

interface Uses {
  readonly networks: ReadonlySet<string>;
  readonly volumes: ReadonlySet<string>;
  readonly configs: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

function usesOf(services: readonly Service[]): Uses {
  const buildSecrets = services.flatMap((one) => one.build?.secrets ?? []);
  return {
    networks: new Set(services.flatMap((one) => Object.keys(one.networks ?? {}))),
    volumes: new Set(
      services.flatMap((one) => one.volumes ?? []).flatMap((mount) => (mount.type === 'volume' && mount.source) || []),
    ),
    configs: new Set(services.flatMap((one) => one.configs ?? []).map((file) => file.source)),
    secrets: new Set([...services.flatMap((one) => one.secrets ?? []), ...buildSecrets].map((file) => file.source)),
  };
}

function pick<T, R>(
  all: Readonly<Record<string, T>> | undefined,
  used: ReadonlySet<string>,
  resolve: (key: string, one: T) => R,
) {
  const kept = Object.entries(all ?? {}).filter(([key]) => used.has(key));
  return recordOf(kept.map(([key, one]) => [key, resolve(key, one)] as const));
}
