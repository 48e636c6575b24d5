import type { Digest } from '../../lib/oci/index.ts';
import type { Container, ContainerStatus } from '../runtime/index.ts';
import type { Filters } from './filters.ts';
import { invalidParameter } from './http-errors.ts';
import { matchesPattern } from './matching.ts';

export const CONTAINER_FILTERS = [
  'ancestor', 'before', 'expose', 'exited', 'health', 'id', 'isolation', 'is-task', 'label', 'name', 'network',
  'publish', 'since', 'status', 'volume',
]; // prettier-ignore

const STATUSES: readonly ContainerStatus[] = [
  'created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead',
]; // prettier-ignore

export interface ListRequest {
  readonly filters: Filters;
  readonly all: boolean;
  readonly limit: number;
}

export interface ListLookups {
  /** The image of that name or id, and those built on it. */
  familyOf(image: string): ReadonlySet<Digest>;
  /** @throws UserError `container-not-found` */
  get(nameOrId: string): Container;
  networkIdOf(nameOrId: string): string | undefined;
}

/**
 * The containers that `GET /containers/json` lists, newest first.
 * @throws UserError `invalid-parameter` for a value that the filter does not know
 */
export function selectContainers(
  containers: readonly Container[],
  request: ListRequest,
  lookups: ListLookups,
): readonly Container[] {
  const { filters, limit } = request;
  checkFilters(filters);
  const families = filters.get('ancestor').map((image) => lookups.familyOf(image));
  const before = filters.has('before') ? lookups.get(filters.get('before')[0] ?? '').createdAt : undefined;
  const since = filters.has('since') ? lookups.get(filters.get('since')[0] ?? '').createdAt : undefined;
  const takesAll = request.all || limit > 0 || filters.has('status');
  const selected = containers
    .filter((container) => takesAll || isUp(container))
    .filter((container) => before === undefined || container.createdAt < before)
    .filter((container) => since === undefined || container.createdAt > since)
    .filter((container) => families.length === 0 || families.some((family) => family.has(container.spec.imageId)))
    .filter((container) => isWanted(container, filters, lookups))
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  return limit > 0 ? selected.slice(0, limit) : selected;
}

export function isUp({ state }: Container): boolean {
  return state.status === 'running' || state.status === 'paused' || state.status === 'restarting';
}

function checkFilters(filters: Filters): void {
  for (const status of filters.get('status')) checkStatus(status);
  for (const health of filters.get('health')) checkHealth(health);
  const [isTask = 'false'] = filters.get('is-task');
  if (!['true', 'false', '1', '0'].includes(isTask)) throw invalidParameter(`invalid filter 'is-task=[${isTask}]'`);
  for (const code of filters.get('exited')) {
    if (!/^[+-]?\d+$/.test(code))
      throw invalidParameter(`invalid filter 'exited=${code}': strconv.Atoi: parsing "${code}": invalid syntax`);
  }
}

function checkHealth(health: string): void {
  const known = ['none', 'starting', 'healthy', 'unhealthy'];
  if (known.includes(health)) return;
  throw invalidParameter(
    `invalid filter 'health=${health}': invalid value for health (${health}): must be one of ${known.join(', ')}`,
  );
}

function checkStatus(status: string): void {
  if (STATUSES.some((known) => known === status)) return;
  const known = STATUSES.join(', ');
  throw invalidParameter(
    `invalid filter 'status=${status}': invalid value for state (${status}): must be one of ${known}`,
  );
}

function isWanted(container: Container, filters: Filters, lookups: ListLookups): boolean {
  const { id, spec, state } = container;
  return (
    filters.some('name', (pattern) => matchesPattern(spec.name, pattern) || matchesPattern(`/${spec.name}`, pattern)) &&
    filters.some('id', (wanted) => matchesPattern(id, wanted)) &&
    filters.isAny('status', state.status) &&
    filters.isAny('exited', state.status === 'exited' ? String(state.exitCode) : '') &&
    filters.isAny('health', state.health?.status ?? 'none') &&
    filters.matchLabels(spec.labels) &&
    filters.some('network', (wanted) => isOnNetwork(container, wanted, lookups)) &&
    filters.some('volume', (wanted) => hasMount(container, wanted)) &&
    filters.some('publish', (wanted) => publishes(container, wanted)) &&
    filters.some('expose', (wanted) => exposes(container, wanted)) &&
    filters.some('is-task', (wanted) => wanted === 'false' || wanted === '0') &&
    filters.isAny('isolation', 'default')
  );
}

function isOnNetwork({ spec, sandbox }: Container, wanted: string, lookups: ListLookups): boolean {
  const { network } = spec;
  if (network.mode === 'none' || network.mode === 'host') return network.mode === wanted;
  if (network.mode === 'container') return false;
  const wantedId = lookups.networkIdOf(wanted);
  const ids =
    sandbox?.endpoints.map(({ networkId }) => networkId) ??
    network.endpoints.map((endpoint) => lookups.networkIdOf(endpoint.network));
  return wantedId !== undefined && ids.includes(wantedId);
}

function hasMount({ spec }: Container, wanted: string): boolean {
  return spec.mounts.some((mount) => mount.target === wanted || (mount.type === 'volume' && mount.name === wanted));
}

function publishes({ spec, sandbox }: Container, wanted: string): boolean {
  const ports = sandbox?.ports ?? (spec.network.mode === 'networks' ? spec.network.ports : []);
  return ports.some((port) => isPort(wanted, port.containerPort, port.protocol));
}

function exposes(container: Container, wanted: string): boolean {
  const { ExposedPorts } = container.spec.docker.Config as { ExposedPorts?: Record<string, unknown> };
  return Object.keys(ExposedPorts ?? {}).some((text) => {
    const [port = '', protocol = 'tcp'] = text.split('/');
    return isPort(wanted, Number(port), protocol);
  });
}

/** Whether `80`, `80/tcp` or `80-90/tcp` takes in the port. */
function isPort(wanted: string, port: number, protocol: string): boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(wanted);
  if (match === null) return false;
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  return port >= first && port <= last && (match[3] ?? 'tcp') === protocol;
}
