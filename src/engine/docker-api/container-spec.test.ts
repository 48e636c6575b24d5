import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { digestOf, type ExecutionConfig } from '../../lib/oci/index.ts';
import { containerNameOf, planContainer, type PlannedContainer } from './container-spec.ts';
import { parseCreateRequest } from './create-request.ts';

const IMAGE_ID = digestOf('image');

function plan(body: object, image: ExecutionConfig = { Cmd: ['sh'] }): PlannedContainer {
  return planContainer({
    request: parseCreateRequest({ Image: 'busybox', ...body }),
    name: 'web',
    image: { id: IMAGE_ID, config: image },
    onlineCpus: 2,
    cgroupVersion: 2,
    mountsOf: () => [{ type: 'volume', name: 'shared', target: '/shared', readOnly: false, noCopy: false }],
    containerIdOf: (name) => `id-of-${name}`,
    networkNameOf: (name) => name,
  });
}

function refusal(body: object): { code: string; message: string } {
  try {
    plan(body);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error;
  }
  assert.fail('it was accepted');
}

describe('a container from a create request', () => {
  it('has Docker’s defaults where nothing is said', () => {
    const { spec, warnings } = plan({});
    assert.deepEqual(spec.args, ['sh']);
    assert.deepEqual(spec.network, {
      mode: 'networks',
      endpoints: [{ network: 'bridge' }],
      ports: [],
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
      extraHosts: [],
    });
    assert.deepEqual(spec.restartPolicy, { name: 'no', maximumRetryCount: 0 });
    assert.equal(spec.shmSizeBytes, 64 * 1024 * 1024);
    assert.equal(spec.stopTimeoutSeconds, 10);
    assert.equal(spec.security.seccomp, 'default');
    assert.deepEqual(warnings, []);
  });

  it('takes limits in the units of the runtime', () => {
    const { spec } = plan({ HostConfig: { Memory: 64 << 20, NanoCpus: 5e8, PidsLimit: 20, CpuShares: 512 } });
    assert.deepEqual(spec.resources, {
      memoryBytes: 64 << 20,
      memorySwapBytes: 128 << 20,
      nanoCpus: 5e8,
      cpuShares: 512,
      pidsLimit: 20,
    });
  });

  it('joins a user-defined network with aliases and a fixed address', () => {
    const { spec } = plan({
      HostConfig: { NetworkMode: 'front' },
      NetworkingConfig: {
        EndpointsConfig: { front: { Aliases: ['www'], IPAMConfig: { IPv4Address: '10.9.0.7' } }, back: null },
      },
    });
    assert.equal(spec.network.mode, 'networks');
    assert.deepEqual(spec.network.mode === 'networks' && spec.network.endpoints, [
      { network: 'front', aliases: ['www'], ipv4Address: '10.9.0.7' },
      { network: 'back' },
    ]);
  });

  it('publishes ports, and all exposed ones on request', () => {
    const { spec } = plan(
      {
        ExposedPorts: { '80/tcp': {} },
        HostConfig: { PublishAllPorts: true, PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] } },
      },
      { Cmd: ['sh'], ExposedPorts: { '53/udp': {} } },
    );
    assert.deepEqual(spec.network.mode === 'networks' && spec.network.ports, [
      { containerPort: 80, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8080 },
      { containerPort: 53, protocol: 'udp' },
    ]);
  });

  it('shares another container’s network by id', () => {
    assert.deepEqual(plan({ HostConfig: { NetworkMode: 'container:db' } }).spec.network, {
      mode: 'container',
      id: 'id-of-db',
    });
  });

  it('warns that ports are discarded on the host’s network', () => {
    const { warnings } = plan({ HostConfig: { NetworkMode: 'host', PortBindings: { '80/tcp': [] } } });
    assert.deepEqual(warnings, ['Published ports are discarded when using host network mode']);
  });

  it('keeps for inspection what the client sent, with the image’s part', () => {
    const { spec } = plan({ Env: ['A=1'] }, { Cmd: ['sh'], Env: ['A=0', 'B=2'], Labels: { of: 'image' } });
    const config = spec.docker.Config as { Env: string[]; Labels: object; Cmd: string[] };
    assert.deepEqual(config.Env, ['A=1', 'B=2']);
    assert.deepEqual(config.Labels, { of: 'image' });
    assert.deepEqual(config.Cmd, ['sh']);
  });

  it('refuses what it cannot do, by the field’s name', () => {
    assert.match(refusal({ HostConfig: { CgroupParent: '/x' } }).message, /HostConfig\.CgroupParent = "\/x"/);
    assert.match(refusal({ HostConfig: { DeviceRequests: [{ Count: -1 }] } }).message, /DeviceRequests/);
    assert.match(refusal({ HostConfig: { LogConfig: { Type: 'syslog' } } }).message, /plugin "syslog" not found/);
    assert.match(refusal({ HostConfig: { FieldOfTomorrow: 1 } }).message, /FieldOfTomorrow/);
    assert.equal(refusal({ HostConfig: { FieldOfTomorrow: 1 } }).code, 'unsupported');
  });

  it('refuses contradictions in Docker’s words', () => {
    assert.match(refusal({ HostConfig: { Memory: 1024 } }).message, /Minimum memory limit allowed is 6MB/);
    assert.match(refusal({ HostConfig: { NanoCpus: 3e9 } }).message, /range of CPUs is from 0.01 to 2.00/);
    assert.match(refusal({ WorkingDir: 'relative' }).message, /needs to be an absolute path/);
    assert.match(refusal({ HostConfig: { RestartPolicy: { Name: 'sometimes' } } }).message, /invalid restart policy/);
    assert.match(
      refusal({ HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } } }).message,
      /can't create 'AutoRemove' container with restart policy/,
    );
    assert.match(refusal({ Env: 7 }).message, /^Env: /);
  });

  it('accepts the empty values that clients send for everything', () => {
    const HostConfig = {
      MemorySwappiness: -1,
      CgroupParent: '',
      Links: null,
      BlkioDeviceReadBps: [],
      OomScoreAdj: 0,
      CgroupnsMode: '',
      ConsoleSize: [24, 80],
      Isolation: '',
    };
    assert.doesNotThrow(() => plan({ HostConfig }));
  });

  it('reads security options', () => {
    const { security } = plan({
      HostConfig: { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'], CapDrop: ['ALL'], MaskedPaths: [] },
    }).spec;
    assert.deepEqual(security, {
      privileged: false,
      capAdd: [],
      capDrop: ['ALL'],
      noNewPrivileges: true,
      seccomp: 'unconfined',
      maskedPaths: [],
    });
    assert.match(refusal({ HostConfig: { SecurityOpt: ['nonsense'] } }).message, /nonsense/);
  });
});

describe('the name of a container', () => {
  it('may begin with a slash, as Docker prints it', () => {
    assert.equal(containerNameOf('/web-1'), 'web-1');
  });
  it('is refused with a blank', () => {
    assert.throws(() => containerNameOf('a b'), /Invalid container name \(a b\)/);
  });
});
