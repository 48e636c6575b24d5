import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { ContainerSpec } from '../../src/engine/runtime/index.ts';
import { openRuntimeLab, type RuntimeLab } from '../support/runtime-lab.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const MIB = 1024 * 1024;

/** Docker's default capabilities as the kernel writes them (moby oci/caps/defaults.go). */
const DEFAULT_CAPABILITIES = '00000000a80425fb';
/** Docker's lists (moby oci/defaults.go). */
const MASKED = [
  '/proc/asound', '/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats',
  '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware',
  '/sys/devices/virtual/powercap',
]; // prettier-ignore
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Real containers that try to get out, or to take more than their share. */
describe('isolation', { skip }, () => {
  let lab: RuntimeLab;
  before(async () => {
    lab = await openRuntimeLab();
  });
  after(() => lab?.[Symbol.asyncDispose]());

  /** As `docker run` has it when nothing is said. */
  const asDocker = { security: securityWith({}) };
  const said = async (script: string, more: Partial<ContainerSpec> = {}): Promise<string> =>
    (await lab.output(script, { ...asDocker, ...more })).text;

  describe('what a container has', () => {
    it("is Docker's fourteen capabilities and its filter of system calls", async () => {
      const status = await said('cat /proc/self/status');
      for (const set of ['CapBnd', 'CapEff', 'CapPrm']) assert.equal(fieldOf(status, set), DEFAULT_CAPABILITIES, set);
      for (const set of ['CapInh', 'CapAmb']) assert.equal(fieldOf(status, set), '0000000000000000', set);
      assert.deepEqual([fieldOf(status, 'Seccomp'), fieldOf(status, 'NoNewPrivs')], ['2', '0']);
    });

    it('is no capability for a user who is not root, and no new privileges where that was asked for', async () => {
      const security = securityWith({ noNewPrivileges: true });
      const status = await said('cat /proc/self/status', { user: '1000:1000', security });
      assert.equal(fieldOf(status, 'CapEff'), '0000000000000000');
      assert.deepEqual([fieldOf(status, 'CapBnd'), fieldOf(status, 'NoNewPrivs')], [DEFAULT_CAPABILITIES, '1']);
    });

    it("is not what Docker masks, and not to change what Docker has read-only, by Docker's lists", async () => {
      const mounts = (await said('cat /proc/self/mountinfo')).split('\n').map((line) => line.split(' '));
      const optionsAt = new Map(mounts.map((fields) => [fields[4], fields[5] ?? '']));
      const inside = [...optionsAt.keys()].filter((path) => path !== undefined && isBelowSystem(path)).sort();
      const there = [...MASKED, ...READ_ONLY].filter((path) => existsSync(path)).sort();
      assert.deepEqual(inside, there);
      for (const path of READ_ONLY.filter((each) => existsSync(each)))
        assert.match(optionsAt.get(path) ?? '', /^ro/, path);
      assert.match(optionsAt.get('/sys') ?? '', /^ro/);
    });

    it('is nothing of the secrets behind masked paths', async () => {
      const files = ['/proc/kcore', '/proc/keys', '/proc/timer_list'].filter((path) => existsSync(path));
      const script = `cat ${files.join(' ')} | wc -c; ls -A /sys/firmware | wc -l`;
      assert.equal((await said(`(${script}) 2>/dev/null`)).replaceAll('\n', ' '), '0 0 ');
    });
  });

  describe('what a container may not', () => {
    const denied: readonly (readonly [what: string, script: string])[] = [
      ['mount', 'mount -t tmpfs none /mnt'],
      ['make a user namespace', 'unshare --user true'],
      ['make a mount namespace', 'unshare --mount true'],
      ['enter the namespaces of others', 'nsenter --target 1 --net --mount true'],
      ['change a parameter of the kernel', 'p=/proc/sys/kernel/core_pattern; v=$(cat $p); echo "$v" > $p'],
      ['call the magic key', 'echo h > /proc/sysrq-trigger'],
      ['name a helper of the kernel', 'echo > /sys/kernel/uevent_helper'],
      ['let its control group call a program', 'for f in $(find /sys/fs/cgroup -name release_agent); do echo /x > $f || exit 1; done; false'],
      ['raise its own limits', 'for f in $(find /sys/fs/cgroup -name pids.max -o -name memory.limit_in_bytes); do echo 1000 > $f && exit 0; done; false'],
      ['set its host name', 'hostname other'],
      ['load a module', 'insmod /bin/busybox'],
      ['read the log of the kernel', 'dmesg'],
    ]; // prettier-ignore

    it('is denied, each by itself, to root in it', async () => {
      const script = denied.map(([, command], index) => `(${command}) >/dev/null 2>&1 && echo ${index}`).join('; ');
      const allowed = (await said(`mkdir -p /mnt; ${script}; true`)).split('\n').filter((line) => line !== '');
      assert.deepEqual(allowed.map((index) => denied[Number(index)]?.[0]), []); // prettier-ignore
    });

    it('read the disk of the host by a device node of its own', async () => {
      const disk = readFileSync('/proc/partitions', 'utf8').trim().split('\n').at(-1)?.trim().split(/\s+/) ?? [];
      const script = `mknod /tmp/disk b ${disk[0]} ${disk[1]} && echo made; head -c 1 /tmp/disk 2>&1 | grep -o 'not permitted'`;
      assert.equal(await said(script), 'made\nnot permitted\n');
      const names = (await said('ls /dev | grep -v core')).trim().split('\n');
      assert.deepEqual(names, ['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero']); // prettier-ignore
    });

    it('see the processes of the host, or the sockets of the daemon', async () => {
      const script = "ls /proc | grep -c '^[0-9]'; find / -xdev -type s | wc -l; grep -c bascule /proc/net/unix";
      const [processes, sockets, abstract] = (await said(script)).trim().split('\n').map(Number);
      assert.ok(processes !== undefined && processes < 6, `${processes} processes`);
      assert.deepEqual([sockets, abstract], [0, 0]);
      assert.equal(statSync(`${lab.runDirectory}/containers`).mode & 0o077, 0);
    });
  });

  describe('the network of a container', () => {
    let server: Server;
    let port: number;
    before(async () => {
      server = createServer((socket) => void socket.on('error', () => {}).end('host\n'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      port = (server.address() as { port: number }).port;
    });
    after(() => void server?.close());

    it("does not reach the host's loopback, nor another network", async () => {
      for (const name of ['red', 'blue']) await lab.networks.create({ name });
      const page = 'mkdir /www; echo red > /www/index.html; exec httpd -f -p 80 -h /www';
      const target = await lab.run(page, on('red'));
      const address = lab.networks.sandbox(target)?.endpoints[0]?.address ?? '';
      const ask = (host: string, at: number): string =>
        `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${host} ${at} 2>/dev/null`;
      const patient = `for try in $(seq 100); do ${ask(address, 80)} | grep red && break; sleep 0.1; done`; // it may not listen yet
      assert.equal(await said(patient, on('red')), 'red\n');
      const { gateway } = lab.networks.get('blue');
      const questions = [ask(address, 80), ask('127.0.0.1', port), ask(gateway, port)];
      assert.equal(await said(questions.join('; '), on('blue')), '');
      await lab.runtime.remove(target, { force: true, removeVolumes: false });
      for (const name of ['red', 'blue']) await lab.networks.remove(name);
    });
  });

  describe('limits', () => {
    it('hold a fork bomb, which leaves nothing behind', async () => {
      const limit = 40;
      const bomb = await lab.run('(f() { f | f & }; f) 2>/dev/null & exec tail -f /dev/null', {
        ...asDocker,
        resources: { pidsLimit: limit, nanoCpus: 3e8 },
      });
      const counted = async (): Promise<number> => (await lab.runtime.statistics(bomb))?.pids.current ?? 0;
      const { pid } = lab.runtime.get(bomb).state;
      await waitFor(() => refusedForks(pid) > 0, { timeoutMs: 30_000, what: 'the bomb has gone off' });
      for (let look = 0; look < 5; look++) assert.ok((await counted()) <= limit);
      assert.equal(await said('echo unharmed'), 'unharmed\n');
      await lab.runtime.remove(bomb, { force: true, removeVolumes: false });
    });

    it('end a hog of memory alone', async () => {
      const neighbour = await lab.run('while :; do sleep 1; done', {
        ...asDocker,
        resources: { memoryBytes: 32 * MIB },
      });
      const hog = await lab.run('tail /dev/zero', { ...asDocker, resources: { memoryBytes: 32 * MIB } });
      assert.equal((await lab.runtime.wait(hog, 'not-running')).exitCode, 137);
      assert.equal(lab.runtime.get(hog).state.oomKilled, true);
      assert.equal(lab.runtime.get(neighbour).state.status, 'running');
      for (const id of [hog, neighbour]) await lab.runtime.remove(id, { force: true, removeVolumes: false });
    });

    it('end a filler of memory disks and of shared memory at their size', async () => {
      const mounts = [{ type: 'tmpfs', target: '/t', sizeBytes: 2 * MIB }] as const;
      const fill = (path: string): string => `dd if=/dev/zero of=${path} bs=1M count=8 2>/dev/null; wc -c < ${path}`;
      const text = await said(`${fill('/t/x')}; ${fill('/dev/shm/x')}`, { ...asDocker, mounts, shmSizeBytes: MIB });
      assert.equal(text, `${2 * MIB}\n${MIB}\n`);
    });
  });
});

function securityWith(more: Partial<ContainerSpec['security']>): ContainerSpec['security'] {
  return { privileged: false, capAdd: [], capDrop: [], noNewPrivileges: false, seccomp: 'default', ...more };
}

function on(network: string): Partial<ContainerSpec> {
  const none = { ports: [], dns: [], dnsSearch: [], extraHosts: [] };
  return { network: { mode: 'networks', endpoints: [{ network }], ...none } };
}

function fieldOf(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(status)?.[1];
}

/** Mounts over what /proc and /sys have; control groups are their own matter. */
function isBelowSystem(path: string): boolean {
  return /^\/(proc|sys)\/./.test(path) && !path.startsWith('/sys/fs/cgroup');
}

/** How often the kernel has refused a process to the control group of this one (cgroups, pids.events). */
function refusedForks(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const [, , path] = (lines.find((line) => line.includes(':pids:')) ?? lines.at(-2) ?? '').split(':');
  const file = [`/sys/fs/cgroup/pids${path}/pids.events`, `/sys/fs/cgroup${path}/pids.events`].find((each) =>
    existsSync(each),
  );
  return Number(/^max (\d+)$/m.exec(readFileSync(file ?? '', 'utf8'))?.[1]);
}
