import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Interface } from 'node:readline';
import { createInterface } from 'node:readline';

const MARK = 'BASCULE_TEST_OWN_MACHINE';
const OUTSIDE = '/run/test-outside';
const PEER = join(import.meta.dirname, 'network-peer.ts');

/** Addresses of the machine that a test gets for itself, and of the host at the other end of its uplink. */
export const MACHINE_ADDRESS = '198.51.100.2';
export const OUTSIDE_ADDRESS = '198.51.100.1';
const UPLINK_MTU = 1400;

/**
 * Goes on with this test file in namespaces of its own (network, mounts, processes): whatever it does to bridges, rules
 * and /run, and whatever it forgets to stop, is gone when it ends. Returns only inside.
 */
export function enterOwnMachine(testFile: string): void {
  if (process.env[MARK] !== undefined) return furnish();
  const argv = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, testFile];
  const { status } = spawnSync('unshare', argv, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  process.exit(status ?? 1);
}

/** An uplink to a namespace that plays the outside, with a name server that the machine's resolv.conf names. */
function furnish(): void {
  must('mount', '-t', 'tmpfs', 'tmpfs', '/run');
  mountOwnSysfs();
  writeFileSync(OUTSIDE, '');
  must('unshare', `--net=${OUTSIDE}`, 'true');
  must('ip', 'link', 'set', 'lo', 'up');
  must(
    'ip',
    'link',
    'add',
    'uplink',
    'mtu',
    String(UPLINK_MTU),
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    OUTSIDE,
  );
  must('ip', 'addr', 'add', `${MACHINE_ADDRESS}/24`, 'dev', 'uplink');
  must('ip', 'link', 'set', 'uplink', 'up');
  must('ip', 'route', 'add', 'default', 'via', OUTSIDE_ADDRESS);
  for (const command of [`addr add ${OUTSIDE_ADDRESS}/24 dev eth0`, 'link set eth0 up', 'link set lo up'])
    must('nsenter', `--net=${OUTSIDE}`, 'ip', ...command.split(' '));
  const options = ['--conf-file=/dev/null', '--no-hosts', '--no-resolv', '--address=/outside.example/203.0.113.7'];
  must('nsenter', `--net=${OUTSIDE}`, 'dnsmasq', ...options, '--pid-file=/run/outside-dns.pid', '--local=/#/');
  writeFileSync('/run/resolv.conf', `nameserver ${OUTSIDE_ADDRESS}\n`);
  must('mount', '--bind', '/run/resolv.conf', '/etc/resolv.conf');
  mkdirSync('/run/lock', { recursive: true });
}

/** /sys shows the network of who mounted it; the control groups below it stay. */
function mountOwnSysfs(): void {
  mkdirSync('/run/cgroup');
  must('mount', '--rbind', '/sys/fs/cgroup', '/run/cgroup');
  must('mount', '-t', 'sysfs', 'sysfs', '/sys');
  must('mount', '--rbind', '/run/cgroup', '/sys/fs/cgroup');
}

export function must(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A namespace to do things in: the path of its file, or the machine's own, or that of the outside. */
export type Place = { readonly namespacePath: string } | 'machine' | 'outside';

/** Answers every connection or datagram with `name` and the address that it sees the asker at. */
export async function serve(
  place: Place,
  o: { protocol?: 'tcp' | 'udp'; port: number; name: string; host?: string },
): Promise<ChildProcess> {
  const child = peer(place, ['serve', o.protocol ?? 'tcp', String(o.port), o.name, o.host ?? '0.0.0.0']);
  const lines: Interface = createInterface({ input: child.stdout! });
  await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => Promise.reject(new Error('no server')))]);
  return child;
}

/** What a server answered, e.g. `web 10.89.0.2`, or the error code (`ETIMEDOUT` after a second). */
export function ask(place: Place, address: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<string> {
  return said(place, ['ask', protocol, address, String(port)]);
}

/** The sorted answers of a name server, joined by spaces, or the error code. Type `A` unless said otherwise. */
export function resolve(place: Place, server: string, name: string, type = 'A'): Promise<string> {
  return said(place, ['resolve', server, name, type]);
}

/** Asks for a name again and again for some time; `N failed of M`. */
export function hammer(place: Place, server: string, name: string, ms: number): Promise<string> {
  return said(place, ['hammer', server, name, String(ms)]);
}

async function said(place: Place, args: readonly string[]): Promise<string> {
  const child = peer(place, args);
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return text.trim();
}

/** Ends the servers of this test file. */
export function stopPeers(): void {
  for (const child of children) child.kill();
}

const children = new Set<ChildProcess>();

function peer(place: Place, args: readonly string[]): ChildProcess {
  const path = place === 'machine' ? undefined : place === 'outside' ? OUTSIDE : place.namespacePath;
  const enter = path === undefined ? [] : ['nsenter', `--net=${path}`];
  const [program = '', ...rest] = [...enter, process.execPath, PEER, ...args];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], env });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}
