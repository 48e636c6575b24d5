import type { CreateRequest, HostConfig, MountRequest } from './create-request.ts';
import { invalidParameter } from './http-errors.ts';
import { speaksAtLeast } from './versions.ts';

/** A request to create a container as its client means it, and what Docker says to it. */
export interface RequestOfVersion {
  readonly request: CreateRequest;
  readonly warnings: readonly string[];
}

/**
 * What a client of a version cannot know is not taken from it; what another version has dropped is left out
 * (Docker Engine API, version history of `POST /containers/create`).
 * @throws UserError `invalid-parameter`
 */
export function requestOfVersion(request: CreateRequest, apiVersion: string): RequestOfVersion {
  const since = (version: string): boolean => speaksAtLeast({ apiVersion }, version);
  refuseNewer(request, since);
  const hostConfig = request.HostConfig ?? undefined;
  const given: CreateRequest = {
    ...request,
    ...(since('1.44') ? {} : { Healthcheck: withoutStartInterval(request.Healthcheck), ...withoutMacs(request) }),
    ...(hostConfig === undefined ? {} : { HostConfig: hostConfigOf(hostConfig, since) }),
  };
  return {
    request: given,
    warnings: [...(since('1.44') ? macWarnings(request) : []), ...(since('1.48') ? driverWarnings(hostConfig) : [])],
  };
}

type Since = (version: string) => boolean;

function refuseNewer({ HostConfig, NetworkingConfig }: CreateRequest, since: Since): void {
  const mounts = HostConfig?.Mounts ?? [];
  if (!since('1.44') && mounts.some(({ BindOptions }) => BindOptions?.['ReadOnlyForceRecursive'] === true))
    throw invalidParameter('BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer');
  const networks = Object.keys(NetworkingConfig?.EndpointsConfig ?? {});
  if (!since('1.44') && networks.length > 1)
    throw invalidParameter(
      `Container cannot be created with multiple network endpoints: ${networks.join(', ')}`,
      'Connect it to the others afterwards.',
    );
  if (!since('1.45') && mounts.some(({ VolumeOptions }) => VolumeOptions?.Subpath))
    throw invalidParameter('VolumeOptions.Subpath needs API v1.45 or newer');
  if (!since('1.48') && mounts.some(({ Type }) => Type === 'image'))
    throw invalidParameter('Mount type "Image" needs API v1.48 or newer');
  for (const mount of mounts) refuseForeignOptions(mount, since('1.42'));
}

const OPTIONS_OF = { VolumeOptions: 'volume', BindOptions: 'bind', TmpfsOptions: 'tmpfs' } as const;
const OPTION_FIELDS = ['VolumeOptions', 'BindOptions', 'TmpfsOptions'] as const;

/** Before API 1.42 those of a tmpfs, and those of a volume for a tmpfs, were overlooked. */
function refuseForeignOptions(mount: MountRequest, isStrict: boolean): void {
  const { Type: type } = mount;
  const foreign = OPTION_FIELDS.filter((field) => mount[field] && OPTIONS_OF[field] !== type);
  if (isStrict && foreign[0] !== undefined)
    throw invalidParameter(`${foreign[0]} must not be specified on mount type "${type}"`);
  const refused = foreign.find((field) => field === 'BindOptions' || (field === 'VolumeOptions' && type === 'bind'));
  if (refused !== undefined)
    throw invalidParameter(`invalid mount config for type "${type}": field ${refused} must not be specified`);
}

/** `KernelMemory` went with 1.42, annotations came with 1.43; the other fields have been there before 1.24. */
function hostConfigOf(hostConfig: HostConfig, since: Since): HostConfig {
  const { Annotations, KernelMemory, Mounts, ...others } = hostConfig;
  return {
    ...others,
    ...(Mounts ? { Mounts: since('1.42') ? Mounts : Mounts.map(oldMount) } : {}),
    ...(Annotations && since('1.43') ? { Annotations } : {}),
    ...(KernelMemory !== undefined && !since('1.42') ? { KernelMemory } : {}),
    ...(since('1.42') ? {} : { ConsoleSize: [0, 0] }),
    ...(since('1.25') ? {} : { AutoRemove: false }), // the client removes it
    ...(since('1.40') || others.IpcMode ? {} : { IpcMode: 'shareable' }),
  };
}

/** Without what was overlooked. */
function oldMount(mount: MountRequest): MountRequest {
  const foreign = OPTION_FIELDS.filter((field) => OPTIONS_OF[field] !== mount.Type);
  const kept: MountRequest = { ...mount, ...Object.fromEntries(foreign.map((field) => [field, undefined])) };
  return kept.BindOptions ? { ...kept, BindOptions: { ...kept.BindOptions, CreateMountpoint: false } } : kept;
}

function withoutStartInterval(check: CreateRequest['Healthcheck']): CreateRequest['Healthcheck'] {
  if (!check) return check;
  const { StartInterval: _unknown, ...known } = check;
  return known;
}

/** Endpoints have addresses of their own since API 1.44. */
function withoutMacs({ NetworkingConfig }: CreateRequest): Pick<CreateRequest, 'NetworkingConfig'> | undefined {
  const endpoints = NetworkingConfig?.EndpointsConfig;
  if (!endpoints) return undefined;
  const entries = Object.entries(endpoints).map(([name, endpoint]) => [
    name,
    endpoint ? { ...endpoint, MacAddress: undefined } : endpoint,
  ]);
  return { NetworkingConfig: { EndpointsConfig: Object.fromEntries(entries) as typeof endpoints } };
}

const OLD_MAC =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.';

function macWarnings({ MacAddress, HostConfig, NetworkingConfig }: CreateRequest): readonly string[] {
  if (!MacAddress) return [];
  const main = NetworkingConfig?.EndpointsConfig?.[HostConfig?.NetworkMode || 'default']?.MacAddress;
  if (main && main !== MacAddress)
    throw invalidParameter(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  return [OLD_MAC];
}

const OLD_DRIVER =
  "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. Use '--mount type=volume,volume-driver=...' instead";

function driverWarnings(hostConfig: HostConfig | undefined): readonly string[] {
  const isIgnored =
    Boolean(hostConfig?.['VolumeDriver']) && (hostConfig?.Mounts ?? []).some(({ Type }) => Type === 'volume');
  return isIgnored ? [OLD_DRIVER] : [];
}
