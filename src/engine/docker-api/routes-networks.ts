import { z } from 'zod';
import { UserError } from '../../lib/errors.ts';
import type { NetworkRecord, NetworkRequest } from '../network/index.ts';
import { parseEndpointConfig } from './create-request.ts';
import type { Exchange } from './exchange.ts';
import { parseFilters, type Filters } from './filters.ts';
import { givenName, invalidParameter, unsupported } from './http-errors.ts';
import { endpointRequestOf } from './network-spec.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { inspectNetwork, type Attached } from './shape-network.ts';
import { matchesPattern, untilOf } from './matching.ts';
import { speaksAtLeast } from './versions.ts';

type NetworkRooms = Pick<Rooms, 'networks' | 'runtime' | 'events'>;

export function networkRoutes(rooms: NetworkRooms): readonly Route[] {
  return [
    { method: 'GET', pattern: '/networks', handle: (exchange) => list(rooms, exchange) },
    { method: 'POST', pattern: '/networks/create', handle: (exchange) => create(rooms, exchange) },
    { method: 'POST', pattern: '/networks/prune', handle: (exchange) => prune(rooms, exchange) },
    { method: 'POST', pattern: '/networks/{id}/connect', handle: (exchange) => connect(rooms, exchange) },
    { method: 'POST', pattern: '/networks/{id}/disconnect', handle: (exchange) => disconnect(rooms, exchange) },
    { method: 'GET', pattern: '/networks/{id}', handle: (exchange) => inspect(rooms, exchange) },
    { method: 'DELETE', pattern: '/networks/{id}', handle: (exchange) => remove(rooms, exchange) },
  ];
}

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

function list({ networks, runtime }: NetworkRooms, exchange: Exchange): void {
  const filters = parseFilters(exchange.query.get('filters'), LIST_FILTERS);
  for (const type of filters.get('type')) {
    if (type !== 'builtin' && type !== 'custom')
      throw invalidParameter(`invalid filter: 'type'='${type}'`, 'One of builtin, custom.');
  }
  const wanted = networks
    .list()
    .filter((network) => isWanted(network, filters, networks.endpointsOf(network.id).length));
  const isDetailed = !speaksAtLeast(exchange, '1.28');
  exchange.reply(
    200,
    wanted.map((network) => inspectNetwork(network, isDetailed ? attachedTo({ networks, runtime }, network) : [])),
  );
}

function isWanted(network: NetworkRecord, filters: Filters, endpoints: number): boolean {
  const driver = network.driver === 'none' ? 'null' : network.driver;
  const isDangling = !network.predefined && endpoints === 0;
  return (
    filters.isAny('driver', driver) &&
    filters.isAny('scope', 'local') &&
    filters.isAny('type', network.predefined ? 'builtin' : 'custom') &&
    filters.some('id', (wanted) => network.id.startsWith(wanted)) &&
    filters.some('name', (wanted) => matchesPattern(network.name, wanted)) &&
    filters.matchLabels(network.labels) &&
    (filters.flag('dangling') ?? isDangling) === isDangling
  );
}

function inspect({ networks, runtime }: NetworkRooms, exchange: Exchange): void {
  const network = networks.get(exchange.params['id'] ?? '');
  exchange.reply(200, inspectNetwork(network, attachedTo({ networks, runtime }, network)));
}

function attachedTo(
  { networks, runtime }: Pick<NetworkRooms, 'networks' | 'runtime'>,
  { id }: NetworkRecord,
): readonly Attached[] {
  return networks.endpointsOf(id).flatMap(({ sandboxId, endpoint }) => {
    const container = runtime.find(sandboxId);
    return container === undefined ? [] : [{ containerId: container.id, containerName: container.spec.name, endpoint }];
  });
}

const labels = z.record(z.string(), z.string()).nullish();
const createBody = z.looseObject({
  Name: z.string().nullish(),
  Driver: z.string().nullish(),
  Internal: z.boolean().nullish(),
  Attachable: z.boolean().nullish(),
  Ingress: z.boolean().nullish(),
  EnableIPv4: z.boolean().nullish(),
  EnableIPv6: z.boolean().nullish(),
  ConfigOnly: z.boolean().nullish(),
  IPAM: z
    .object({
      Driver: z.string().nullish(),
      Options: labels,
      Config: z
        .array(
          z.object({
            Subnet: z.string().nullish(),
            IPRange: z.string().nullish(),
            Gateway: z.string().nullish(),
            AuxiliaryAddresses: labels,
          }),
        )
        .nullish(),
    })
    .nullish(),
  Options: labels,
  Labels: labels,
});

async function create({ networks }: NetworkRooms, exchange: Exchange): Promise<void> {
  const result = createBody.safeParse(await exchange.json());
  if (!result.success)
    throw invalidParameter(`${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}`);
  const request = networkRequestOf(result.data);
  if (networks.find(request.name)?.predefined === true) throw isPredefined(request.name);
  const network = await networks.create(request);
  exchange.reply(201, { Id: network.id, Warning: '' });
}

function isPredefined(name: string): UserError {
  return new UserError({
    code: 'network-predefined',
    kind: 'denied',
    message: `operation is not permitted on predefined ${name} network`,
    fix: 'Choose another name.',
  });
}

/** @throws UserError `invalid-parameter`, `unsupported` */
function networkRequestOf(body: z.infer<typeof createBody>): NetworkRequest {
  if (!body.Name) throw invalidParameter('invalid name: name is empty', 'Give the field Name.');
  for (const field of ['Ingress', 'EnableIPv6', 'ConfigOnly'] as const) {
    if (body[field] === true) throw unsupported(`the network option ${field}`);
  }
  if (body.EnableIPv4 === false) throw unsupported('a network without IPv4 (EnableIPv4)');
  const [config, ...further] = body.IPAM?.Config ?? [];
  if (further.length > 0) throw unsupported('a network of several subnets (IPAM.Config)');
  if (body.IPAM?.Driver && body.IPAM.Driver !== 'default') throw unsupported(`the IPAM driver "${body.IPAM.Driver}"`);
  if (Object.keys(config?.AuxiliaryAddresses ?? {}).length > 0) throw unsupported('IPAM.Config.AuxiliaryAddresses');
  return {
    name: body.Name,
    ...(body.Driver ? { driver: body.Driver } : {}),
    ...(body.Internal === true ? { internal: true } : {}),
    ...(body.Attachable === true ? { attachable: true } : {}),
    ...(body.Labels ? { labels: body.Labels } : {}),
    ...(body.Options ? { options: body.Options } : {}),
    ...(config?.Subnet ? { subnet: config.Subnet } : {}),
    ...(config?.Gateway ? { gateway: config.Gateway } : {}),
    ...(config?.IPRange ? { ipRange: config.IPRange } : {}),
  };
}

async function connect({ networks, runtime }: NetworkRooms, exchange: Exchange): Promise<void> {
  const body = await exchange.json();
  const network = networks.get(exchange.params['id'] ?? '');
  const container = runtime.get(givenName(body['Container']));
  await runtime.connect(container.id, endpointRequestOf(network.name, parseEndpointConfig(body['EndpointConfig'])));
  exchange.reply(200);
}

async function disconnect({ networks, runtime }: NetworkRooms, exchange: Exchange): Promise<void> {
  const body = await exchange.json();
  const network = networks.get(exchange.params['id'] ?? '');
  const container = runtime.get(givenName(body['Container']));
  await runtime.disconnect(container.id, network.name, { force: body['Force'] === true });
  exchange.reply(200);
}

async function remove({ networks }: NetworkRooms, exchange: Exchange): Promise<void> {
  await networks.remove(exchange.params['id'] ?? '');
  exchange.reply(204);
}

async function prune({ networks, events }: NetworkRooms, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), ['label', 'label!', 'until']);
  const until = untilOf(filters, new Date());
  const removed = await networks.prune(
    (network) => filters.matchLabels(network.labels) && (until === undefined || network.createdAt < until),
  );
  events.publish({ type: 'network', action: 'prune', actorId: '', attributes: { reclaimed: '0' } });
  exchange.reply(200, { NetworksDeleted: removed.length > 0 ? removed.map(({ name }) => name) : null });
}
