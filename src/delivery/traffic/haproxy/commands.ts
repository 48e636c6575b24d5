import type { InstanceAddress, LaneId } from '../traffic.ts';
import { serverOptions } from './render-haproxy.ts';
import { isAtLeast, type ProxyVersion } from './version.ts';

/** One line of the runtime API: commands joined with `;`, answered one after the other. */
export type CommandLine = readonly string[];

/** A new server starts in maintenance: its check and itself are enabled in the same line. */
export function addServer(version: ProxyVersion, lane: LaneId, instance: InstanceAddress): CommandLine {
  const address = instance.address.includes(':') ? `[${instance.address}]` : instance.address;
  const server = `${lane}/${instance.name}`;
  const add = `add server ${server} ${address}:${instance.port} ${serverOptions(version, instance)}`;
  const enableChecks = isAtLeast(version, 2, 5) ? [`enable health ${server}`] : [];
  return [experimental(version, add), ...enableChecks, `enable server ${server}`];
}

/** Servers that come and go were an experiment before 2.6. */
function experimental(version: ProxyVersion, command: string): string {
  return isAtLeast(version, 2, 6) ? command : `experimental-mode on; ${command}`;
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
  return [experimental(version, `del server ${lane}/${name}`)];
}

/** For a map that is read by order or by beginnings: keys that mean something to the command line come as payload. */
export function addEntries(map: string, entries: readonly (readonly [string, string])[]): string {
  return `add map ${map} <<\n${entries.map(([key, value]) => `${key} ${value}\n`).join('')}`;
}

/** Entries are named by what `show map` calls them. */
export function deleteEntry(map: string, reference: string): string {
  return `del map ${map} #${reference}`;
}

export function changeEntry(map: string, reference: string, value: string): string {
  return `set map ${map} #${reference} ${value}`;
}
