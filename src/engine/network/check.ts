import { existsSync } from 'node:fs';
import { run } from '../../lib/process.ts';
import { messageOf } from '../../lib/errors.ts';
import { observeHost, readIfThere } from './machine.ts';
import type { NetworkCheck } from './types.ts';

/** What container networks need of this machine. Nothing is changed, but a trial namespace lives for a moment. */
export async function checkMachine(): Promise<readonly NetworkCheck[]> {
  return Promise.all([
    checkProgram('ip', ['ip', '-V'], 'iproute2'),
    checkProgram('nft', ['nft', '--version'], 'nftables'),
    checkProgram('dnsmasq', ['dnsmasq', '--version'], 'dnsmasq-base'),
    checkProgram('unshare and nsenter', ['nsenter', '--version'], 'util-linux'),
    checkTrial('kernel: bridge and veth', TRIAL_LINKS),
    checkTrial('kernel: nf_tables with NAT', TRIAL_RULES),
    checkForwarding(),
    checkMtu(),
  ]);
}

const TRIAL_LINKS = {
  argv: ['unshare', '--net', 'ip', '-batch', '-'],
  input: 'link add b0 type bridge\nlink add v0 master b0 type veth peer name v1\n',
  fix: 'Run as root on a kernel with the modules bridge and veth (`modprobe bridge veth`).',
} as const;

const TRIAL_RULES = {
  argv: ['unshare', '--net', 'nft', '-f', '-'],
  input: `table ip trial {
    map ports { type inet_service : ipv4_addr . inet_service; }
    chain a { type nat hook prerouting priority -100; fib daddr type local dnat ip to tcp dport map @ports; }
    chain b { type nat hook postrouting priority 100; masquerade; }
  }\n`,
  fix: 'Run as root on a kernel with nf_tables, nft_nat, nft_masq and nft_fib_ipv4 (`modprobe nf_tables nft_nat`).',
} as const;

async function checkProgram(name: string, argv: [string, ...string[]], packageName: string): Promise<NetworkCheck> {
  try {
    const { stdout, stderr } = await run(argv);
    return { name, state: 'ok', detail: (stdout || stderr).split('\n')[0] ?? '' };
  } catch (error) {
    return {
      name,
      state: 'failed',
      detail: messageOf(error),
      fix: `Install the package ${packageName}: apt-get install ${packageName}`,
    };
  }
}

async function checkTrial(
  name: string,
  trial: { argv: readonly [string, ...string[]]; input: string; fix: string },
): Promise<NetworkCheck> {
  try {
    const { exitCode, stderr } = await run(trial.argv, { input: trial.input });
    if (exitCode === 0) return { name, state: 'ok', detail: 'works' };
    return { name, state: 'failed', detail: stderr.trim().split('\n')[0] ?? '', fix: trial.fix };
  } catch (error) {
    return { name, state: 'failed', detail: messageOf(error), fix: trial.fix };
  }
}

async function checkForwarding(): Promise<NetworkCheck> {
  const name = 'IPv4 forwarding';
  if (!existsSync('/proc/sys/net/ipv4/ip_forward'))
    return {
      name,
      state: 'failed',
      detail: '/proc/sys is not mounted',
      fix: 'Run on the host, not in a container without /proc/sys.',
    };
  const on = readIfThere('/proc/sys/net/ipv4/ip_forward')?.trim() === '1';
  return { name, state: 'ok', detail: on ? 'on' : 'off; turned on with the first network' };
}

async function checkMtu(): Promise<NetworkCheck> {
  try {
    const { mtu } = await observeHost();
    return { name: 'MTU of the default route', state: 'ok', detail: `${mtu} bytes` };
  } catch (error) {
    return {
      name: 'MTU of the default route',
      state: 'failed',
      detail: messageOf(error),
      fix: 'Install the package iproute2.',
    };
  }
}
