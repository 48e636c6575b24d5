import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../lib/oci/index.ts';
import type { Container, ContainerSpec } from '../runtime/index.ts';
import { selectContainers } from './container-filters.ts';
import { planContainer } from './container-spec.ts';
import { parseCreateRequest } from './create-request.ts';
import { parseFilters } from './filters.ts';
import { commandText, inspectContainer, listContainer } from './shape-container.ts';

const ID = 'ab'.repeat(32);
const NETWORK = { id: 'cd'.repeat(32), name: 'front' };

function specOf(body: object): ContainerSpec {
  return planContainer({
    request: parseCreateRequest({ Image: 'busybox', Cmd: ['sleep', '60'], ...body }),
    name: 'web',
    image: { id: digestOf('image'), config: {} },
    onlineCpus: 2,
    cgroupVersion: 2,
    mountsOf: () => [],
    containerIdOf: (name) => name,
    networkNameOf: (name) => name,
  }).spec;
}

function container(body: object, changes: Partial<Container> = {}): Container {
  return {
    id: ID,
    spec: specOf(body),
    createdAt: new Date('2026-01-01T00:00:00Z'),
    state: { status: 'created', pid: 0, exitCode: 0, oomKilled: false, error: '', restartCount: 0 },
    directory: '/e/c',
    upperDirectory: '/e/c/upper',
    rootDirectory: '/e/c/root',
    logPath: '/e/c/log',
    execIds: [],
    ...changes,
  };
}

const AROUND = {
  layerDirectories: ['/l2', '/l1'],
  findVolume: () => undefined,
  findNetwork: (name: string) => (name === 'front' ? (NETWORK as never) : undefined),
  hostname: 'host',
};

interface Inspected {
  readonly Name: string;
  readonly State: Record<string, unknown>;
  readonly Config: { readonly Hostname: string };
  readonly HostConfig: Record<string, unknown>;
  readonly Mounts: readonly { readonly Type: string; readonly Destination: string; readonly RW: boolean }[];
  readonly NetworkSettings: {
    readonly Ports: Record<string, unknown>;
    readonly Networks: Record<
      string,
      {
        readonly IPAddress: string;
        readonly Aliases: readonly string[] | null;
        readonly DNSNames: readonly string[] | null;
      }
    >;
  };
}

const inspect = (subject: Container, apiVersion = '1.51'): Inspected =>
  inspectContainer(subject, { around: AROUND, apiVersion }) as Inspected;

/** A sandbox as the network room gives it, on `front`. */
const SANDBOX = {
  id: ID,
  name: 'web',
  namespacePath: '/run/netns/x',
  resolvConf: '/r',
  hosts: '/h',
  hostnameFile: '/n',
  ports: [{ containerPort: 80, protocol: 'tcp', hostAddress: '', hostPort: 8080 }],
  endpoints: [
    {
      endpointId: 'ef'.repeat(32),
      networkId: NETWORK.id,
      networkName: 'front',
      address: '10.9.0.2',
      prefixLength: 24,
      gateway: '10.9.0.1',
      macAddress: '02:42:0a:09:00:02',
      aliases: ['www'],
      interfaceName: 'eth0',
    },
  ],
} as const;

describe('docker inspect', () => {
  it('shows a container that was never started', () => {
    const shown = inspect(container({ HostConfig: { NetworkMode: 'front' } }));
    assert.equal(shown.Name, '/web');
    assert.deepEqual(
      [shown.State['Status'], shown.State['Running'], shown.State['StartedAt']],
      ['created', false, '0001-01-01T00:00:00Z'],
    );
    assert.equal(shown.Config.Hostname, ID.slice(0, 12));
    assert.deepEqual(shown.NetworkSettings.Ports, {});
    assert.equal(shown.NetworkSettings.Networks['front']?.IPAddress, '');
  });

  it('shows addresses, aliases and ports of one that runs', () => {
    const body = { ExposedPorts: { '80/tcp': {}, '81/tcp': {} }, HostConfig: { NetworkMode: 'front' } };
    const running = container(body, { sandbox: SANDBOX });
    const { NetworkSettings } = inspect(running);
    assert.equal(NetworkSettings.Networks['front']?.IPAddress, '10.9.0.2');
    const short = ID.slice(0, 12);
    assert.deepEqual(NetworkSettings.Networks['front']?.Aliases, ['www']);
    assert.deepEqual(NetworkSettings.Networks['front']?.DNSNames, ['web', 'www', short]);
    assert.deepEqual(inspect(running, '1.44').NetworkSettings.Networks['front']?.Aliases, ['www', short]);
    assert.deepEqual(NetworkSettings.Ports, { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '81/tcp': null });
  });

  it('shows what update has changed', () => {
    const subject = container({ HostConfig: { Memory: 64 << 20 } });
    const spec = { ...subject.spec, resources: { memoryBytes: 32 << 20 } };
    assert.equal(inspect({ ...subject, spec }).HostConfig['Memory'], 32 << 20);
  });

  it('lists mounts, but for those of --tmpfs', () => {
    const HostConfig = {
      Binds: ['/a:/b:ro', 'vol:/v'],
      Tmpfs: { '/t': '' },
      Mounts: [{ Type: 'tmpfs', Target: '/m' }],
    };
    assert.deepEqual(
      inspect(container({ HostConfig })).Mounts.map(({ Type, Destination, RW }) => [Type, Destination, RW]),
      [
        ['bind', '/b', false],
        ['volume', '/v', true],
        ['tmpfs', '/m', true],
      ],
    );
  });
});

describe('docker ps', () => {
  const running = container({}, { sandbox: SANDBOX, state: { ...container({}).state, status: 'running', pid: 7 } });
  const lookups = { familyOf: () => new Set<never>(), get: () => running, networkIdOf: () => NETWORK.id };
  const select = (filters: object, all = false): number =>
    selectContainers(
      [running, container({ Labels: { a: 'b' } })],
      { filters: parseFilters(JSON.stringify(filters), Object.keys(filters)), all, limit: 0 },
      lookups,
    ).length;

  it('has those that run, or all', () => {
    assert.deepEqual([select({}), select({}, true)], [1, 2]);
  });

  it('filters', () => {
    assert.equal(select({ status: ['created'] }), 1);
    assert.equal(select({ label: ['a=b'] }, true), 1);
    assert.equal(select({ publish: ['80-90'] }), 1);
    assert.equal(select({ publish: ['80/udp'] }), 0);
    assert.equal(select({ name: ['^/?web$'] }, true), 2);
    assert.equal(select({ network: ['front'] }), 1);
    assert.throws(() => select({ status: ['odd'] }), /invalid value for state \(odd\)/);
  });

  it('joins the command as Docker does', () => {
    assert.equal(commandText(['sh', '-c', 'echo hi']), "sh -c 'echo hi'");
    const row = listContainer(running, {
      around: AROUND,
      apiVersion: '1.51',
      now: new Date(),
      imageName: 'busybox',
    }) as {
      Ports: object[];
    };
    assert.deepEqual(row.Ports, [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }]);
  });
});
