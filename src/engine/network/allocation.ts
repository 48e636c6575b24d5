import { newId } from '../../lib/id.ts';
import { neededViewsOf, networkOf } from './desired.ts';
import type { State } from './desired.ts';
import { addressTaken, networkFull, networkInvalid } from './errors.ts';
import type { AddressSpace } from './ipam.ts';
import { chooseAddress, chooseHighAddress, isHostAddress } from './ipam.ts';
import { formatAddress, macOf, parseAddress, parseCidr } from './ipv4.ts';
import type { EndpointRow, NetworkRow, Records } from './records.ts';
import type { EndpointRequest } from './types.ts';

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i;

/** A row for a new endpoint with an address of its own. Called inside a transaction. */
export function allocateEndpoint(
  records: Records,
  o: {
    readonly state: State;
    readonly network: NetworkRow;
    readonly request: EndpointRequest;
    readonly sandboxId: string;
    /** Number of the device (`eth0`) and rank among the sandbox's endpoints. */
    readonly position: number;
  },
): EndpointRow {
  const address = addressFor(records, o);
  const mac = o.request.macAddress;
  if (mac && !MAC.test(mac)) throw networkInvalid(`invalid MAC address: ${mac}`, 'Write it like 02:42:0a:59:00:02.');
  return {
    endpointId: newId(),
    sandboxId: o.sandboxId,
    networkId: o.network.id,
    position: o.position,
    address: formatAddress(address),
    macAddress: mac ? mac.toLowerCase() : macOf(address),
    interfaceName: `eth${o.position}`,
    aliases: [...new Set(o.request.aliases ?? [])],
  };
}

function addressFor(records: Records, o: { state: State; network: NetworkRow; request: EndpointRequest }): number {
  const space = spaceOf(o.state, o.network);
  if (o.request.ipv4Address) return checkedAddress(space, o.network, o.request.ipv4Address);
  const address = chooseAddress(space, parseAddress(records.cursorOf(o.network.id) ?? ''));
  if (address === undefined) throw networkFull(o.network);
  records.setCursor(o.network.id, formatAddress(address));
  return address;
}

function checkedAddress(space: AddressSpace, network: NetworkRow, text: string): number {
  const address = parseAddress(text);
  if (address === undefined || !isHostAddress(space.subnet, address))
    throw networkInvalid(
      `invalid config for network ${network.name}: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address ${text}`,
      'Choose one inside the subnet.',
    );
  if (address === space.gateway || space.used.has(address)) throw addressTaken(text, network.name);
  return address;
}

/**
 * Brings the records of resolver views to what the sandboxes need. Called inside a transaction, after they changed;
 * `state` is the state after that change.
 */
export function reconcileViews(records: Records, state: State): void {
  const needed = neededViewsOf(state);
  for (const view of state.views) if (!needed.has(view.key)) records.removeView(view.key);
  for (const view of needed.values()) {
    if (state.views.some((known) => known.key === view.key)) continue;
    const network = networkOf(state, view.homeNetworkId);
    // Not the address of a view that ends by this change: its server answers until the new one does.
    const views = [...state.views, ...records.views()];
    const address = chooseHighAddress(spaceOf({ ...state, views }, network));
    if (address === undefined) throw networkFull(network);
    records.addView({ key: view.key, homeNetworkId: network.id, address: formatAddress(address) });
  }
}

function spaceOf(state: State, network: NetworkRow): AddressSpace {
  const subnet = subnetOf(network.subnet);
  const endpoints = state.sandboxes
    .flatMap((sandbox) => sandbox.endpoints)
    .filter((row) => row.networkId === network.id);
  const views = state.views.filter((view) => view.homeNetworkId === network.id);
  return {
    subnet,
    range: network.ipRange === '' ? subnet : subnetOf(network.ipRange),
    gateway: parseAddress(network.gateway) ?? 0,
    used: new Set([...endpoints, ...views].map((row) => parseAddress(row.address) ?? 0)),
  };
}

function subnetOf(text: string) {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`a network without a subnet: "${text}"`);
  return parsed.subnet;
}
