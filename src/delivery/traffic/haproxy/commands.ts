import { PARKED, type ServerKey } from '../slots.ts';
import type { RecordedInstance } from '../state.ts';
import { serverOptions } from './render-haproxy.ts';
import { isAtLeast, type ProxyVersion } from './version.ts';

/** One line of the runtime API: commands joined with `;`, answered one after the other. */
export type CommandLine = readonly string[];

/** A new server starts in maintenance: its check and itself are enabled in the same line. */
export function addServer(version: ProxyVersion, instance: RecordedInstance): CommandLine {
  const address = instance.address.includes(':') ? `[${instance.address}]` : instance.address;
  const server = nameOf(instance);
  const add = `add server ${server} ${address}:${instance.port} ${serverOptions(version, instance)}`;
  const enableChecks = isAtLeast(version, 2, 5) ? [`enable health ${server}`] : [];
  return [experimental(version, add), ...enableChecks, `enable server ${server}`];
}

/** Servers that come and go were an experiment before 2.6. */
function experimental(version: ProxyVersion, command: string): string {
  return isAtLeast(version, 2, 6) ? command : `experimental-mode on; ${command}`;
}

function nameOf({ lane, server }: ServerKey): string {
  return `${lane}/${server}`;
}

/** For a server that exists: an instance that was restarted may have another address. */
export function moveServer(instance: RecordedInstance): CommandLine {
  return [`set server ${nameOf(instance)} addr ${instance.address} port ${instance.port}`];
}

/** A change of the address also closes the idle connections to the old one. */
export function parkServer(at: ServerKey): CommandLine {
  return [`set server ${nameOf(at)} addr ${PARKED.address} port ${PARKED.port}`];
}

/** Maintenance: no new requests, running ones go on. Unlike `drain` it survives a check that succeeds. */
export function drainServer(at: ServerKey): CommandLine {
  return [`set server ${nameOf(at)} state maint`];
}

export function undrainServer(at: ServerKey): CommandLine {
  return [`set server ${nameOf(at)} state ready`];
}

export function closeServerSessions(at: ServerKey): CommandLine {
  return [`shutdown sessions server ${nameOf(at)}`];
}

export function deleteServer(version: ProxyVersion, at: ServerKey): CommandLine {
  return [experimental(version, `del server ${nameOf(at)}`)];
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
