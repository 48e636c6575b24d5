import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '../../compose/index.ts';
import type { InstanceSpec } from '../instance-spec.ts';
import { renderContainer } from './render-container.ts';

const DOCKER = { rotatesLogs: true };

function spec(service: Partial<Service> = {}, more: Partial<InstanceSpec> = {}): InstanceSpec {
  return {
    name: 'p-web-r1-1',
    imageId: 'sha256:1',
    labels: { 'bascule.project': 'p' },
    service: { command: null, entrypoint: null, settings: {}, ...service },
    readOnlyRoot: true,
    job: false,
    network: { mode: 'networks', attachments: [{ network: 'p-r1', aliases: ['web'] }] },
    mounts: [],
    ...more,
  };
}

describe('an instance as the engine is asked for it', () => {
  it('is hardened and kept running unless the Compose file says otherwise', () => {
    const host = renderContainer(spec(), DOCKER).HostConfig!;
    assert.equal(host.ReadonlyRootfs, true);
    assert.deepEqual(Object.keys(host.Tmpfs ?? {}), ['/tmp', '/run']);
    assert.deepEqual(host.SecurityOpt, ['no-new-privileges:true']);
    assert.deepEqual(host.RestartPolicy, { Name: 'unless-stopped' });
    assert.deepEqual(host.LogConfig?.Config, { 'max-size': '10m', 'max-file': '3' });
    const loose = renderContainer(
      spec({ security_opt: ['no-new-privileges:false'] }, { readOnlyRoot: false }),
      DOCKER,
    ).HostConfig!;
    assert.deepEqual([loose.ReadonlyRootfs, loose.Tmpfs], [false, {}]);
    assert.deepEqual(loose.SecurityOpt, ['no-new-privileges:false']);
  });

  it('has memory where nothing else is mounted', () => {
    const mounts: InstanceSpec['mounts'] = [
      { type: 'volume', source: 'p_tmp', target: '/tmp', readOnly: false, noCopy: false },
      { type: 'tmpfs', target: '/cache', sizeBytes: 1_024, mode: 0o700 },
    ];
    const host = renderContainer(spec({}, { mounts }), DOCKER).HostConfig!;
    assert.deepEqual(host.Tmpfs, {
      '/run': 'rw,nosuid,nodev,exec,mode=1777',
      '/cache': 'rw,nosuid,nodev,size=1024,mode=700',
    });
    assert.deepEqual(host.Mounts, [
      { Type: 'volume', Target: '/tmp', Source: 'p_tmp', ReadOnly: false, VolumeOptions: { NoCopy: false } },
    ]);
  });

  it('restarts as it is declared', () => {
    const policyOf = (service: Partial<Service>, job = false): unknown =>
      renderContainer(spec(service, { job }), DOCKER).HostConfig?.RestartPolicy;
    assert.deepEqual(policyOf({ restart: 'on-failure:3' }), { Name: 'on-failure', MaximumRetryCount: 3 });
    assert.deepEqual(policyOf({ restart: 'no' }), { Name: 'no' });
    assert.deepEqual(policyOf({}, true), { Name: 'no' });
    const deploy = { resources: {}, placement: {}, restart_policy: { condition: 'none' } };
    assert.deepEqual(policyOf({ deploy }), { Name: 'no' });
  });

  it('speaks in the units of the API', () => {
    const deploy = { placement: {}, resources: { limits: { cpus: 0.5, memory: '1048576', pids: 7 } } };
    const made = renderContainer(
      spec({
        deploy,
        stop_grace_period: '1m30s',
        healthcheck: { test: ['CMD', 'true'], interval: '1.5s', retries: 2 },
        extra_hosts: ['db=10.0.0.1'],
        environment: { A: '1', UNSET: null },
        ulimits: { nofile: { soft: 10, hard: 20 }, nproc: 5 },
      }),
      DOCKER,
    );
    const host = made.HostConfig!;
    assert.deepEqual([host.NanoCpus, host.Memory, host.PidsLimit], [500_000_000, 1_048_576, 7]);
    assert.equal(made.StopTimeout, 90);
    assert.deepEqual(made.Healthcheck, { Test: ['CMD', 'true'], Interval: 1_500_000_000, Retries: 2 });
    assert.deepEqual(host.ExtraHosts, ['db:10.0.0.1']);
    assert.deepEqual(made.Env, ['A=1']);
    assert.deepEqual(host.Ulimits, [
      { Name: 'nofile', Soft: 10, Hard: 20 },
      { Name: 'nproc', Soft: 5, Hard: 5 },
    ]);
  });

  it('mounts folders of the host, made where they are missing unless that is declined', () => {
    const bind = { type: 'bind', source: '/srv', target: '/s', readOnly: true } as const;
    const made = renderContainer(spec({}, { mounts: [{ ...bind, createSource: true }] }), DOCKER).HostConfig!;
    assert.deepEqual(made.Binds, ['/srv:/s:ro']);
    const strict = renderContainer(spec({}, { mounts: [{ ...bind, createSource: false }] }), DOCKER).HostConfig!;
    assert.deepEqual(strict.Mounts, [{ Type: 'bind', Target: '/s', Source: '/srv', ReadOnly: true }]);
  });
});
