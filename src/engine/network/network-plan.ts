import { driverUnknown, networkInvalid, poolsExhausted, subnetOverlaps } from './errors.ts';
import { chooseSubnet, findPlanError } from './ipam.ts';
import type { Subnet } from './ipv4.ts';
import { formatAddress, formatSubnet, overlap, parseAddress, parseCidr } from './ipv4.ts';
import type { NetworkRow } from './records.ts';
import { bridgeOf } from './render-links.ts';
import type { NetworkRequest } from './types.ts';

export interface TakenSubnet {
  readonly subnet: Subnet;
  /** For the message: a network or a device. */
  readonly owner: string;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const MTU_OPTION = 'com.docker.network.driver.mtu';
const ICC_OPTION = 'com.docker.network.bridge.enable_icc';

/** The record of a new bridge network. @throws UserError `network-invalid`, `network-subnet-overlaps`, `network-pools-exhausted` */
export function planNetwork(
  request: NetworkRequest,
  world: {
    readonly id: string;
    readonly now: Date;
    readonly mtu: number;
    readonly taken: readonly TakenSubnet[];
    readonly poolOffset: number;
  },
): NetworkRow {
  checkName(request.name);
  checkDriver(request);
  const addresses =
    request.subnet === undefined || request.subnet === ''
      ? chosenPlan(request, world)
      : givenPlan(request, world.taken);
  return {
    id: world.id,
    name: request.name,
    driver: 'bridge',
    ...addresses,
    internal: request.internal ?? false,
    attachable: request.attachable ?? false,
    predefined: false,
    labels: request.labels ?? {},
    options: request.options ?? {},
    bridge: bridgeOf(world.id),
    mtu: mtuOf(request.options ?? {}, world.mtu),
    createdAt: world.now,
  };
}

interface Addresses {
  readonly subnet: string;
  readonly gateway: string;
  readonly ipRange: string;
}

/** A subnet of the pools and its first address as the gateway. */
export function choosePlan(taken: readonly TakenSubnet[], poolOffset: number): Addresses {
  const subnet = chooseSubnet(
    taken.map((entry) => entry.subnet),
    undefined,
    poolOffset,
  );
  if (subnet === undefined) throw poolsExhausted();
  return { subnet: formatSubnet(subnet), gateway: formatAddress(subnet.base + 1), ipRange: '' };
}

function chosenPlan(request: NetworkRequest, world: { taken: readonly TakenSubnet[]; poolOffset: number }): Addresses {
  if (request.gateway || request.ipRange)
    throw networkInvalid('gateway or ip range without a subnet', 'Name the subnet (CIDR) that they belong to.');
  return choosePlan(world.taken, world.poolOffset);
}

function givenPlan(request: NetworkRequest, taken: readonly TakenSubnet[]): Addresses {
  const subnet = parsedSubnet(request.subnet ?? '', 'subnet');
  const gateway = request.gateway ? parseAddress(request.gateway) : subnet.base + 1;
  if (gateway === undefined)
    throw networkInvalid(`invalid gateway address: ${request.gateway}`, 'Give an IPv4 address.');
  const range = request.ipRange
    ? (parseCidr(request.ipRange)?.subnet ?? parsedSubnet(request.ipRange, 'ip range'))
    : subnet;
  const error = findPlanError({ subnet, gateway, range });
  if (error !== undefined)
    throw networkInvalid(`${error} (subnet ${formatSubnet(subnet)})`, 'Gateway and ip range lie inside the subnet.');
  const other = taken.find((entry) => overlap(entry.subnet, subnet));
  if (other !== undefined)
    throw subnetOverlaps(formatSubnet(subnet), `${formatSubnet(other.subnet)} of ${other.owner}`);
  return {
    subnet: formatSubnet(subnet),
    gateway: formatAddress(gateway),
    ipRange: request.ipRange ? formatSubnet(range) : '',
  };
}

function parsedSubnet(text: string, what: string): Subnet {
  const parsed = parseCidr(text);
  if (parsed === undefined)
    throw networkInvalid(
      `invalid ${what} ${text}: not an IPv4 CIDR`,
      'Write it like 10.20.0.0/24; IPv6 is not supported yet.',
    );
  if (parsed.address !== parsed.subnet.base)
    throw networkInvalid(
      `invalid ${what} ${text}: it should be ${formatSubnet(parsed.subnet)}`,
      'Write the first address of the block.',
    );
  return parsed.subnet;
}

function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw networkInvalid(
    `invalid network name "${name}": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    'Begin with a letter or digit, then letters, digits, underscores, dots and dashes.',
  );
}

function checkDriver(request: NetworkRequest): void {
  const driver = request.driver || 'bridge';
  if (driver !== 'bridge' && driver !== 'default') throw driverUnknown(driver);
  if (request.options?.[ICC_OPTION] === 'false')
    throw networkInvalid(
      `the option ${ICC_OPTION}=false is not supported`,
      'Put containers that must not meet on networks of their own.',
    );
}

function mtuOf(options: Readonly<Record<string, string>>, hostMtu: number): number {
  const text = options[MTU_OPTION];
  if (text === undefined || text === '' || text === '0') return hostMtu;
  const mtu = Number(text);
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_535)
    throw networkInvalid(`invalid value "${text}" for ${MTU_OPTION}`, 'Give a number of bytes from 68 to 65535.');
  return mtu;
}
