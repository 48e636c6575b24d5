import type { InstanceAddress, LaneId, RouteShare } from '../traffic.ts';
import { serverOptions } from './render-haproxy.ts';
import { isAtLeast, type ProxyVersion } from './version.ts';

/** One line of the runtime API: commands joined with `;`, answered one after the other. */
export type CommandLine = readonly string[];

/** A new server starts in maintenance: its check and itself are enabled in the same line. */
export function addServer(version: ProxyVersion, lane: LaneId, instance: InstanceAddress): CommandLine {
  const address = instance.address.includes(':') ? `[${instance.address}]` : instance.address;
  const server = `${lane}/${instance.name}`;
  const add = `add server ${server} ${address}:${instance.port} ${serverOptions(version)}`;
  if (!isAtLeast(version, 2, 5)) return [`experimental-mode on; ${add}`, `enable server ${server}`];
  return [add, `enable health ${server}`, `enable server ${server}`];
}

/** For a server that exists: an instance that was restarted may have another address. */
export function moveServer(lane: LaneId, { name, address, port }: InstanceAddress): CommandLine {
  return [`set server ${lane}/${name} addr ${address} port ${port}`];
}

/** Maintenance: no new requests, running ones go on. Unlike `drain` it survives a check that succeeds. */
export function drainServer(lane: LaneId, name: string): CommandLine {
  return [`set server ${lane}/${name} state maint`];
}

export function undrainServer(lane: LaneId, name: string): CommandLine {
  return [`set server ${lane}/${name} state ready`];
}

export function closeServerSessions(lane: LaneId, name: string): CommandLine {
  return [`shutdown sessions server ${lane}/${name}`];
}

export function deleteServer(version: ProxyVersion, lane: LaneId, name: string): CommandLine {
  const remove = `del server ${lane}/${name}`;
  return isAtLeast(version, 2, 5) ? [remove] : [`experimental-mode on; ${remove}`];
}

/** An entry of the routes map, which the configuration takes apart: `lane-012|lane-013|2500`. */
export function shareText(share: RouteShare): string {
  return `${share.stable}|${share.candidate ?? ''}|${share.candidate === null ? 0 : share.weight}`;
}

/** Reads an entry of the routes map. */
export function parseShare(text: string): RouteShare {
  const [stable = '', candidate = '', weight = '0'] = text.split('|');
  return { stable, candidate: candidate === '' ? null : candidate, weight: Number(weight) };
}
