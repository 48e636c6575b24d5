import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ALL_CAPABILITIES, capabilitiesOf, capabilitiesOfMask, DEFAULT_CAPABILITIES } from './capabilities.ts';
import { renderExecProcess } from './render-exec.ts';
import { normalTarget } from './render-mounts.ts';
import { parseHardLimits } from './render-resources.ts';
import { renderCustomSeccomp, renderDefaultSeccomp } from './render-seccomp.ts';
import { SOCKET_FAMILIES } from './seccomp-profile.ts';
import { MASKED_PATHS, renderSpec, specText, type SpecInput } from './render-spec.ts';

const machine: SpecInput['machine'] = {
  architecture: 'amd64',
  cgroupVersion: 2,
  capabilities: ALL_CAPABILITIES,
  seccomp: true,
  mqueue: true,
  resources: { swapLimit: true, raisesLimits: true, hardLimits: {}, oomScoreAdj: 0 },
};

function input(more: Partial<SpecInput['spec']> = {}, around: Partial<SpecInput> = {}): SpecInput {
  return {
    spec: {
      args: ['sleep', '1'],
      env: ['A=1'],
      workingDirectory: '',
      tty: false,
      hostname: 'box',
      readOnlyRoot: false,
      resources: {},
      shmSizeBytes: 0,
      security: { privileged: false, capAdd: [], capDrop: [], noNewPrivileges: true, seccomp: 'default' },
      sysctls: {},
      ...more,
    },
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    rootDirectory: '/run/x/rootfs',
    cgroupsPath: '/bascule/x',
    namespaces: { network: { path: '/run/netns/x' }, pid: 'private', ipc: 'private', uts: 'private' },
    mounts: [],
    files: [],
    devices: [],
    machine,
    ...around,
  };
}

const render = (more: Partial<SpecInput['spec']> = {}, around: Partial<SpecInput> = {}) =>
  renderSpec(input(more, around)).spec;

describe('OCI specification', () => {
  it("has Docker's defaults", () => {
    const { process: own, linux, mounts, hostname } = render();
    assert.equal(hostname, 'box');
    assert.deepEqual(own.env, [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=box',
      'A=1',
      'HOME=/root',
    ]);
    assert.equal(own.cwd, '/');
    assert.equal(own.noNewPrivileges, true);
    assert.deepEqual(own.capabilities.effective.toSorted(), DEFAULT_CAPABILITIES.toSorted());
    assert.deepEqual(linux.maskedPaths, MASKED_PATHS);
    assert.deepEqual(
      linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type)),
      ['mount', 'network=/run/netns/x', 'pid', 'ipc', 'uts', 'cgroup'],
    );
    assert.deepEqual(
      mounts.map(({ destination, options }) => `${destination}${options.includes('ro') ? ' ro' : ''}`),
      ['/proc', '/dev', '/dev/pts', '/sys ro', '/sys/fs/cgroup ro', '/dev/mqueue', '/dev/shm'],
    );
    assert.equal(linux.resources.devices[0]!.allow, false);
  });

  it('gives users other than root no effective capabilities', () => {
    const { capabilities } = render({}, { user: { uid: 5, gid: 5, additionalGids: [], home: '/' } }).process;
    assert.deepEqual(capabilities.effective, []);
    assert.equal(capabilities.bounding.length, 14);
  });

  it('lifts everything for the privileged', () => {
    const security = { privileged: true, capAdd: [], capDrop: [], noNewPrivileges: false, seccomp: 'default' as const };
    const { linux, process, mounts } = render({ security });
    assert.equal(linux.seccomp, undefined);
    assert.deepEqual(linux.maskedPaths, []);
    assert.deepEqual(linux.resources.devices, [{ allow: true, access: 'rwm' }]);
    assert.equal(process.capabilities.effective.length, ALL_CAPABILITIES.length);
    assert.ok(mounts.find(({ destination }) => destination === '/sys')!.options.includes('rw'));
  });

  it('lets mounts of the user take the place of ours, outer ones first', () => {
    const files = [{ source: '/h', target: '/etc/hosts' }];
    const bind = (target: string) => ({ type: 'bind' as const, source: '/s', target, readOnly: true });
    const mounts = [
      bind('/a/b/c'),
      bind('/a'),
      bind('/etc/hosts/'),
      { type: 'tmpfs' as const, target: '/dev/shm', options: ['exec', 'size=5m'] },
    ];
    const rendered = render({}, { files, mounts }).mounts;
    assert.deepEqual(
      rendered.slice(-4).map(({ destination }) => destination),
      ['/a', '/etc/hosts', '/dev/shm', '/a/b/c'],
    );
    assert.equal(rendered.filter(({ destination }) => destination === '/etc/hosts').length, 1);
    const shm = rendered.filter(({ destination }) => destination === '/dev/shm');
    assert.deepEqual(
      shm.map(({ options }) => options),
      [['nosuid', 'nodev', 'mode=1777', 'exec', 'size=5m']],
    );
  });

  it('renders limits, and swap as much again as memory', () => {
    const { resources } = render({
      resources: { memoryBytes: 100, nanoCpus: 1.5e9, pidsLimit: 7, cpusetCpus: '0' },
    }).linux;
    assert.deepEqual(resources.memory, { limit: 100, swap: 200 });
    assert.deepEqual(resources.cpu, { period: 100_000, quota: 150_000, cpus: '0' });
    assert.deepEqual(resources.pids, { limit: 7 });
  });

  it('warns of what this machine cannot give', () => {
    const weak = { swapLimit: false, raisesLimits: false, hardLimits: { nofile: 1024 }, oomScoreAdj: 0 };
    const resources = { memoryBytes: 100, ulimits: [{ name: 'nofile', soft: 4096, hard: -1 }] };
    const { spec, warnings } = renderSpec(
      input({ resources, oomScoreAdj: -500 }, { machine: { ...machine, resources: weak } }),
    );
    assert.equal(warnings.length, 3);
    assert.deepEqual(spec.process.rlimits, [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }]);
    assert.deepEqual(spec.linux.resources.memory, { limit: 100 });
    assert.equal(spec.process.oomScoreAdj, undefined);
  });

  it('writes an unlimited limit as 2^64 - 1', () => {
    const spec = render({ resources: { ulimits: [{ name: 'memlock', soft: -1, hard: -1 }] } });
    assert.match(specText(spec), /"type":"RLIMIT_MEMLOCK","hard":18446744073709551615,"soft":18446744073709551615/);
  });

  it('makes further processes like the first, but for what was asked', () => {
    const { process } = render();
    const request = { args: ['id'], env: ['A=2', 'B=3'], workingDirectory: '/x' };
    const user = { uid: 9, gid: 9, additionalGids: [9], home: '/nine' };
    const rendered = renderExecProcess({
      size: { columns: 80, rows: 24 },
      containerProcess: process,
      request,
      user,
      machine,
    });
    assert.deepEqual(rendered.args, ['id']);
    assert.equal(rendered.cwd, '/x');
    assert.deepEqual(rendered.capabilities.effective, []);
    assert.ok(rendered.env.includes('A=2') && !rendered.env.includes('A=1') && rendered.env.includes('HOME=/nine'));
  });
});

describe('capabilities', () => {
  const of = (capAdd: readonly string[], capDrop: readonly string[]) =>
    capabilitiesOf({ privileged: false, capAdd, capDrop }, ALL_CAPABILITIES);

  it('are added and dropped by either spelling, and all at once', () => {
    assert.ok(of(['net_admin'], []).includes('CAP_NET_ADMIN'));
    assert.ok(!of([], ['CAP_CHOWN']).includes('CAP_CHOWN'));
    assert.deepEqual(of(['NET_ADMIN'], ['ALL']), ['CAP_NET_ADMIN']);
    assert.equal(of(['ALL'], ['SYS_ADMIN']).length, ALL_CAPABILITIES.length - 1);
  });

  it('never exceed those of the daemon', () => {
    assert.deepEqual(capabilitiesOf({ privileged: true, capAdd: [], capDrop: [] }, ['CAP_KILL']), ['CAP_KILL']);
    assert.deepEqual(capabilitiesOfMask('00000000a80425fb').toSorted(), DEFAULT_CAPABILITIES.toSorted());
  });
});

describe('control groups', () => {
  const targets = (around: Partial<SpecInput>): readonly string[] =>
    render({}, around).mounts.map(({ destination }) => destination);

  it('are there to be read, unless they are hidden', () => {
    assert.ok(targets({}).includes('/sys/fs/cgroup'));
    const hidden = targets({ hidesCgroups: true });
    assert.deepEqual(
      hidden,
      targets({}).filter((target) => target !== '/sys/fs/cgroup'),
    );
  });
});

describe('seccomp', () => {
  interface Argument {
    readonly index: number;
    readonly value: number;
    readonly valueTwo: number;
    readonly op: string;
  }
  interface Profile {
    readonly defaultAction: string;
    readonly architectures: readonly string[];
    readonly syscalls: readonly {
      readonly names: readonly string[];
      readonly action: string;
      readonly args?: readonly Argument[];
    }[];
  }
  const allowed = (capabilities: readonly string[]): ReadonlySet<string> => {
    const { syscalls } = renderDefaultSeccomp({ capabilities, architecture: 'amd64' }) as Profile;
    return new Set(syscalls.filter(({ args }) => args === undefined).flatMap(({ names }) => names));
  };

  it('opens system calls with the capability that they belong to', () => {
    assert.ok(!allowed(DEFAULT_CAPABILITIES).has('mount') && !allowed(DEFAULT_CAPABILITIES).has('unshare'));
    assert.ok(allowed(DEFAULT_CAPABILITIES).has('chroot') && !allowed([]).has('chroot'));
    assert.ok(allowed(['CAP_SYS_ADMIN']).has('mount') && allowed(['CAP_SYS_TIME']).has('clock_settime'));
  });

  it('never allows less with more capabilities', () => {
    fc.assert(
      fc.property(fc.subarray([...ALL_CAPABILITIES]), fc.subarray([...ALL_CAPABILITIES]), (some, more) => {
        const [narrow, wide] = [allowed(some), allowed([...some, ...more])];
        const lost = [...narrow].filter((name) => !wide.has(name) && name !== 'clone3');
        assert.deepEqual(lost, []);
      }),
    );
  });

  it('opens sockets of the families in the list, and of no other', () => {
    const { syscalls, defaultAction } = renderDefaultSeccomp({ capabilities: [], architecture: 'amd64' }) as Profile;
    const rules = syscalls.filter(({ names }) => names.includes('socket'));
    assert.equal(defaultAction, 'SCMP_ACT_ERRNO');
    for (const { action, args } of rules) {
      assert.equal(action, 'SCMP_ACT_ALLOW');
      assert.deepEqual(
        args?.map(({ index, op }) => [index, op]),
        [[0, 'SCMP_CMP_MASKED_EQ']],
      );
    }
    const allows = (family: number): boolean =>
      rules.some(({ args }) => args?.every(({ value, valueTwo }) => (family & value) >>> 0 === valueTwo));
    const families = Array.from({ length: 70_000 }, (_, family) => family);
    assert.deepEqual(families.filter(allows), SOCKET_FAMILIES);
    for (const denied of [38, 40]) assert.ok(!SOCKET_FAMILIES.includes(denied));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (family) => {
        assert.equal(allows(family), SOCKET_FAMILIES.includes(family));
      }),
    );
    for (let bit = 6; bit < 32; bit++)
      for (const family of SOCKET_FAMILIES) assert.ok(!allows((family | (1 << bit)) >>> 0));
  });

  it("applies the conditions of a profile in Docker's format", () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
      syscalls: [
        { names: ['a'], action: 'SCMP_ACT_ERRNO', includes: { caps: ['CAP_KILL'] } },
        { names: ['b'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_KILL'] } },
        { name: 'c', action: 'SCMP_ACT_ERRNO', includes: { arches: ['arm64'] } },
      ],
    };
    assert.deepEqual(renderCustomSeccomp(profile, { capabilities: ['CAP_KILL'], architecture: 'amd64' }), {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [{ names: ['a'], action: 'SCMP_ACT_ERRNO' }],
    });
  });
});

describe('small parsers', () => {
  it('reads hard limits', () => {
    const text =
      'Limit   Soft Limit  Hard Limit  Units\nMax cpu time              unlimited            unlimited            seconds\nMax open files            1024                 524288               files\n';
    assert.deepEqual(parseHardLimits(text), { nofile: 524288 });
  });

  it('keeps targets inside', () => {
    assert.equal(normalTarget('/a//b/./../c/'), '/a/c');
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', 'a', '')), (parts) =>
        /^\/(?!.*\.\.)/.test(normalTarget(parts.join('/'))),
      ),
    );
  });
});
