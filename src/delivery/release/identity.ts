import { createHash } from 'node:crypto';
import type { Project, Service } from '../compose/index.ts';
import type { FileVersion } from './release.ts';

export interface ServiceIdentity {
  readonly identity: string;
  readonly ownIdentity: string;
  readonly stateful: boolean;
  readonly job: boolean;
  readonly replicas: number;
}

export interface IdentityInputs {
  readonly project: Project;
  /** Image identifier by service. */
  readonly images: Readonly<Record<string, string>>;
  /** Versions by `configs/<key>` and `secrets/<key>`. */
  readonly files: Readonly<Record<string, FileVersion>>;
}

/**
 * The identity of each service's set: a Merkle hash of its image, its configuration, and the identities of the
 * stateless services that it depends on. Equal identities mean that a running set can be carried over.
 */
export function identitiesOf(inputs: IdentityInputs): Readonly<Record<string, ServiceIdentity>> {
  const known = new Map<string, ServiceIdentity>();
  for (const name of Object.keys(inputs.project.services).sort()) identityOf(name, inputs, known);
  return Object.fromEntries(known);
}

function identityOf(name: string, inputs: IdentityInputs, known: Map<string, ServiceIdentity>): ServiceIdentity {
  const there = known.get(name);
  if (there !== undefined) return there;
  const service = inputs.project.services[name]!;
  const ownIdentity = hashOf({ image: inputs.images[name], configuration: configurationOf(name, inputs) });
  const dependencies = dependenciesOf(service)
    .filter((dependency) => dependency in inputs.project.services)
    .map((dependency) => [dependency, identityOf(dependency, inputs, known)] as const)
    .filter(([, identity]) => !identity.stateful)
    .map(([dependency, { identity }]) => [dependency, identity] as const);
  const made: ServiceIdentity = {
    ownIdentity,
    identity: hashOf({ own: ownIdentity, dependencies }),
    stateful: isStateful(name, inputs.project),
    job: isJob(name, inputs.project),
    replicas: replicasOf(service),
  };
  known.set(name, made);
  return made;
}

/** A writable volume or folder of the host makes a service stateful, unless `x-bascule.stateful` says otherwise. */
function isStateful(name: string, project: Project): boolean {
  const service = project.services[name]!;
  if (isJob(name, project)) return false;
  if (service.settings.stateful !== undefined) return service.settings.stateful;
  return (service.volumes ?? []).some(
    (mount) =>
      mount.read_only !== true && (mount.type === 'bind' || (mount.type === 'volume' && mount.source !== undefined)),
  );
}

/** A service that another one waits for to complete runs once a rollout. */
function isJob(name: string, project: Project): boolean {
  return Object.values(project.services).some(
    (service) => service.depends_on?.[name]?.condition === 'service_completed_successfully',
  );
}

function replicasOf(service: Service): number {
  return service.deploy?.replicas ?? service.scale ?? 1;
}

/** Names of the services that this one needs, in alphabetical order. */
function dependenciesOf(service: Service): readonly string[] {
  const shared = service.network_mode?.startsWith('service:') ? [service.network_mode.slice('service:'.length)] : [];
  return [...new Set([...Object.keys(service.depends_on ?? {}), ...shared])].sort();
}

/** What a running instance is not touched by: how traffic reaches it, how it was built, how it is rolled out. */
const NOT_CONFIGURATION = new Set([
  'attach',
  'build',
  'depends_on',
  'env_file',
  'expose',
  'image',
  'ports',
  'profiles',
  'pull_policy',
  'scale',
  'settings',
]);

function configurationOf(name: string, { project, files }: IdentityInputs): unknown {
  const service = project.services[name]!;
  const own = Object.entries(service).filter(([key]) => !NOT_CONFIGURATION.has(key) && !key.startsWith('x-'));
  const { resources, restart_policy, mode } = service.deploy ?? { resources: {} };
  return {
    ...Object.fromEntries(own),
    deploy: { resources, restart_policy, mode },
    readOnly: project.settings.readOnly,
    volumeNames: volumesOf(service).map((key) => [key, project.volumes[key]?.name]),
    files: filesOf(service).map((key) => [key, files[key]?.version]),
  };
}

function volumesOf(service: Service): readonly string[] {
  return (service.volumes ?? []).flatMap((mount) =>
    mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
  );
}

/** Keys of the configs and secrets that a service uses: `configs/<key>`, `secrets/<key>`. */
export function filesOf(service: Service): readonly string[] {
  const configs = (service.configs ?? []).map((reference) => `configs/${reference.source}`);
  const secrets = (service.secrets ?? []).map((reference) => `secrets/${reference.source}`);
  return [...new Set([...configs, ...secrets])].sort();
}

function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

/** The same value with the keys of all objects in alphabetical order, so that equal values have equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
