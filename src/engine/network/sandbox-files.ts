import { closeSync, constants, fchmodSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { choiceOf, networkOf, outwardEndpointOf } from './desired.ts';
import type { State } from './desired.ts';
import { makeDirectories } from './machine.ts';
import type { SandboxRow } from './records.ts';
import { renderContainerHosts, renderResolvConf } from './render-names.ts';
import type { ResolvConf } from './render-names.ts';

/** The three files of a sandbox that the runtime bind-mounts into the container. */
export interface SandboxFiles {
  readonly resolvConf: string;
  readonly hosts: string;
  readonly hostnameFile: string;
}

export function filesOf(directory: string): SandboxFiles {
  return {
    resolvConf: join(directory, 'resolv.conf'),
    hosts: join(directory, 'hosts'),
    hostnameFile: join(directory, 'hostname'),
  };
}

/**
 * Writes them, in place where they are there: a bind mount goes on showing the same inode. At once: a thread for each
 * call takes longer than the few bytes do.
 */
export async function writeSandboxFiles(directory: string, state: State, sandbox: SandboxRow): Promise<void> {
  await makeDirectories(directory);
  const files = filesOf(directory);
  writeInPlace(files.resolvConf, renderResolvConf(resolvConfOf(state, sandbox)));
  writeInPlace(files.hosts, hostsOf(state, sandbox));
  writeInPlace(files.hostnameFile, `${sandbox.settings.hostname}\n`);
}

export async function removeSandboxFiles(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

function resolvConfOf(state: State, sandbox: SandboxRow): ResolvConf {
  const { dnsSearch, dnsOptions } = sandbox.settings;
  const host = state.hostResolvConf;
  return {
    servers: serversOf(state, sandbox),
    search: dnsSearch.length === 0 ? host.search : dnsSearch.filter((name) => name !== '.'),
    options: dnsOptions.length > 0 ? dnsOptions : defaultOptions(state, sandbox),
  };
}

/** With `ndots:0`, as Docker sets it, a service's name is asked for as it is before any search domain is tried. */
function defaultOptions(state: State, sandbox: SandboxRow): readonly string[] {
  const options = state.hostResolvConf.options.filter((option) => option !== 'trust-ad' && option !== 'edns0');
  if (choiceOf(state, sandbox).kind === 'outside') return options;
  return [...options.filter((option) => !option.startsWith('ndots:')), 'ndots:0'];
}

function serversOf(state: State, sandbox: SandboxRow): readonly string[] {
  const choice = choiceOf(state, sandbox);
  switch (choice.kind) {
    case 'outside':
      return choice.servers;
    case 'network':
      return [networkOf(state, choice.networkId).gateway];
    case 'view':
      return state.views.filter((view) => view.key === choice.key).map((view) => view.address);
  }
}

function hostsOf(state: State, sandbox: SandboxRow): string {
  const outward = outwardEndpointOf(state, sandbox) ?? sandbox.endpoints[0];
  const hostGateway = outward === undefined ? undefined : networkOf(state, outward.networkId).gateway;
  return renderContainerHosts({
    extra: sandbox.settings.extraHosts.flatMap((entry) => parseExtraHost(entry, hostGateway)),
    addresses: sandbox.endpoints.map((endpoint) => endpoint.address),
    hostname: sandbox.settings.hostname,
    domainname: sandbox.settings.domainname,
  });
}

/** `name:address`, or `name=address` as newer clients write it. */
export function parseExtraHost(entry: string, hostGateway: string | undefined): { name: string; address: string }[] {
  const [, name = '', given = ''] = /^([^:=]+)[:=](.*)$/.exec(entry) ?? [];
  const address = given === 'host-gateway' ? hostGateway : given.replace(/^\[(.*)\]$/, '$1');
  return name === '' || address === undefined || address === '' ? [] : [{ name, address }];
}

/** Readers see the old text or the new one (a longer old one may show its end for an instant), never an empty file. */
function writeInPlace(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o644);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at);
    ftruncateSync(file, bytes.length);
    fchmodSync(file, 0o644); // whatever the umask: users in the container read it
  } finally {
    closeSync(file);
  }
}
