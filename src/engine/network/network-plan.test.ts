import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr } from './ipv4.ts';
import { planNetwork } from './network-plan.ts';
import { collide } from './ports.ts';

const world = {
  id: 'c'.repeat(64),
  now: new Date(0),
  mtu: 1400,
  poolOffset: 0,
  taken: [{ subnet: parseCidr('10.89.0.0/24')!.subnet, owner: 'network shop' }],
};
const plan = (request: object) => planNetwork({ name: 'net', ...request }, world);

describe('the plan of a network', () => {
  it('chooses a subnet, its first address as gateway, the MTU of the host', () => {
    const row = plan({});
    assert.deepEqual([row.subnet, row.gateway, row.mtu], ['10.89.4.0/22', '10.89.4.1', 1400]);
    assert.equal(row.bridge, 'bsc-cccccccc');
  });

  it('takes the subnet, gateway, range and MTU that it is given', () => {
    const options = { 'com.docker.network.driver.mtu': '1280' };
    const row = plan({ subnet: '172.30.0.0/16', gateway: '172.30.9.9', ipRange: '172.30.5.0/24', options });
    assert.deepEqual(
      [row.subnet, row.gateway, row.ipRange, row.mtu],
      ['172.30.0.0/16', '172.30.9.9', '172.30.5.0/24', 1280],
    );
  });

  it('refuses overlaps by the name of the other', () => {
    assert.throws(() => plan({ subnet: '10.89.0.128/25' }), {
      code: 'network-subnet-overlaps',
      fix: /^10\.89\.0\.128\/25 and 10\.89\.0\.0\/24 of network shop overlap/,
    });
  });

  it('refuses what is no network, and says what it should be', () => {
    assert.throws(() => plan({ subnet: '10.1.2.3/24' }), {
      message: 'invalid subnet 10.1.2.3/24: it should be 10.1.2.0/24',
    });
    for (const request of [
      { name: '-x' },
      { name: 'a/b' },
      { subnet: 'fd00::/64' },
      { subnet: '10.1.0.0/31' },
      { gateway: '10.1.0.1' },
      { subnet: '10.1.0.0/24', gateway: '10.1.0.0' },
      { subnet: '10.1.0.0/24', ipRange: '10.2.0.0/28' },
      { options: { 'com.docker.network.driver.mtu': 'big' } },
      { options: { 'com.docker.network.bridge.enable_icc': 'false' } },
    ])
      assert.throws(() => plan(request), { code: 'network-invalid' }, JSON.stringify(request));
    for (const driver of ['overlay', 'nosuch'])
      assert.throws(() => plan({ driver }), { code: 'network-driver-unknown' }, driver);
  });
});

describe('host ports', () => {
  const base = { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 80, containerPort: 80 } as const;

  it('collide on the same address, or when one wants every address', () => {
    assert.ok(collide(base, { ...base, hostAddress: '127.0.0.1' }));
    assert.ok(!collide({ ...base, hostAddress: '192.0.2.1' }, { ...base, hostAddress: '127.0.0.1' }));
    assert.ok(!collide(base, { ...base, protocol: 'udp' }));
    assert.ok(!collide(base, { ...base, hostPort: 81 }));
  });
});
