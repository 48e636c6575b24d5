import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Networks, Sandbox } from '../../src/engine/network/index.ts';
import { shortId } from '../../src/lib/id.ts';
import { addressOf, openNamed, openTestNetworks } from '../support/network-daemon.ts';
import {
  ask,
  enterOwnMachine,
  hammer,
  MACHINE_ADDRESS,
  must,
  OUTSIDE_ADDRESS,
  resolve,
  serve,
  stopPeers,
} from '../support/own-machine.ts';

enterOwnMachine(import.meta.filename);

describe('container networks', () => {
  let networks: Networks;
  let web: Sandbox;
  let worker: Sandbox;
  let stranger: Sandbox;

  before(async () => {
    networks = await openTestNetworks();
    await networks.create({ name: 'shop' });
    await networks.create({ name: 'other' });
    const ports = [
      { containerPort: 80, protocol: 'tcp', hostPort: 8080 },
      { containerPort: 53, protocol: 'udp', hostPort: 5353 },
      { containerPort: 80, protocol: 'tcp', hostPort: 8081, hostAddress: '127.0.0.1' },
      { containerPort: 80, protocol: 'tcp' },
    ] as const;
    web = await openNamed(networks, 'web', { on: [{ network: 'shop', aliases: ['www', 'api.shop.example'] }], ports });
    worker = await openNamed(networks, 'worker', { on: ['shop'] });
    stranger = await openNamed(networks, 'stranger', { on: ['other'] });
    await serve(web, { port: 80, name: 'web' });
    await serve(web, { port: 53, protocol: 'udp', name: 'web-udp' });
    await serve(stranger, { port: 80, name: 'stranger' });
    await serve('outside', { port: 443, name: 'outside' });
  });
  after(async () => {
    stopPeers();
    await networks.destroy();
    await networks.close();
  });

  const gatewayOf = (sandbox: Sandbox): string => sandbox.endpoints[0]!.gateway;

  it('let containers of one network meet, and leave the outside by the address of the machine', async () => {
    assert.equal(await ask(worker, addressOf(web, 'shop'), 80), `web ${addressOf(worker, 'shop')}`);
    assert.equal(await ask(worker, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`);
  });

  it('keep networks apart, and the outside from ports that are not published', async () => {
    assert.equal(await ask(stranger, addressOf(web, 'shop'), 80), 'ETIMEDOUT');
    assert.equal(await ask(worker, addressOf(stranger, 'other'), 80), 'ETIMEDOUT');
    must(
      'nsenter',
      '--net=/run/test-outside',
      'ip',
      'route',
      'add',
      networks.get('shop').subnet,
      'via',
      MACHINE_ADDRESS,
    );
    assert.equal(await ask('outside', addressOf(web, 'shop'), 80), 'ETIMEDOUT');
  });

  it("keep the machine's metadata from containers, but for names, unless their network says otherwise", async () => {
    const METADATA = '169.254.169.254';
    const FAR = '169.254.170.2';
    must('ip', 'addr', 'add', `${METADATA}/32`, 'dev', 'lo');
    must('nsenter', '--net=/run/test-outside', 'ip', 'addr', 'add', `${FAR}/32`, 'dev', 'lo');
    for (const port of [80, 53]) await serve('machine', { port, name: 'metadata', host: METADATA });
    await serve('outside', { port: 80, name: 'far', host: FAR });
    assert.equal(await ask(worker, METADATA, 80), 'ETIMEDOUT');
    assert.equal(await ask(worker, FAR, 80), 'ETIMEDOUT');
    assert.equal(await ask(worker, METADATA, 53), `metadata ${addressOf(worker, 'shop')}`);
    await networks.create({ name: 'trusted', options: { 'bascule.metadata': 'allow' } });
    const agent = await openNamed(networks, 'agent', { on: ['trusted'] });
    assert.equal(await ask(agent, METADATA, 80), `metadata ${addressOf(agent, 'trusted')}`);
    assert.equal(await ask(agent, FAR, 80), `far ${MACHINE_ADDRESS}`);
    await networks.closeSandbox(agent.id);
    await networks.remove('trusted');
  });

  it('use the MTU of the default route, and no IPv6 address', () => {
    const links = must('nsenter', `--net=${web.namespacePath}`, 'ip', 'addr', 'show', 'eth0');
    assert.match(links, /mtu 1400/);
    assert.doesNotMatch(links, /inet6/);
    assert.match(must('ip', 'link', 'show', networks.get('shop').bridge), /mtu 1400/);
    assert.match(links, new RegExp(web.endpoints[0]!.macAddress));
  });

  describe('published ports', () => {
    it('answer the outside, which is seen with its own address', async () => {
      assert.equal(await ask('outside', MACHINE_ADDRESS, 8080), `web ${OUTSIDE_ADDRESS}`);
      assert.equal(await ask('outside', MACHINE_ADDRESS, 5353, 'udp'), `web-udp ${OUTSIDE_ADDRESS}`);
    });

    it('answer the machine itself, by its address and by localhost', async () => {
      assert.equal(await ask('machine', MACHINE_ADDRESS, 8080), `web ${MACHINE_ADDRESS}`);
      assert.equal(await ask('machine', '127.0.0.1', 8080), `web ${gatewayOf(web)}`);
      assert.equal(await ask('machine', '127.0.0.1', 5353, 'udp'), `web-udp ${gatewayOf(web)}`);
    });

    it('answer containers by the address of the machine: neighbours, strangers and the container itself', async () => {
      assert.equal(await ask(worker, MACHINE_ADDRESS, 8080), `web ${gatewayOf(web)}`);
      assert.equal(await ask(web, MACHINE_ADDRESS, 8080), `web ${gatewayOf(web)}`);
      assert.equal(await ask(stranger, MACHINE_ADDRESS, 8080), `web ${addressOf(stranger, 'other')}`);
      assert.equal(await ask(worker, gatewayOf(worker), 8080), `web ${gatewayOf(web)}`);
    });

    it('of one address answer there only', async () => {
      assert.equal(await ask('machine', '127.0.0.1', 8081), `web ${gatewayOf(web)}`);
      assert.equal(await ask('machine', MACHINE_ADDRESS, 8081), 'ECONNREFUSED');
      assert.equal(await ask('outside', MACHINE_ADDRESS, 8081), 'ECONNREFUSED');
    });

    it('are chosen from the ephemeral range when none is named', async () => {
      const [low = 0, high = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
        .split('\t')
        .map(Number);
      const { hostPort } = web.ports[3]!;
      assert.ok(hostPort >= low && hostPort <= high, String(hostPort));
      assert.equal(await ask('outside', MACHINE_ADDRESS, hostPort), `web ${OUTSIDE_ADDRESS}`);
    });

    it('keep services of the machine on 127.0.0.1 closed to containers', async () => {
      const server = await serve('machine', { port: 9999, name: 'private' });
      must('nsenter', `--net=${worker.namespacePath}`, 'ip', 'route', 'add', '127.0.0.5/32', 'via', gatewayOf(worker));
      assert.equal(await ask(worker, '127.0.0.5', 9999).then((answer) => answer.startsWith('private')), false);
      server.kill();
    });

    it('that are taken are refused by the name of the holder, before anything changes', async () => {
      const publish = (hostPort: number, hostAddress = '') =>
        openNamed(networks, 'second', {
          on: ['shop'],
          ports: [{ containerPort: 80, protocol: 'tcp', hostPort, hostAddress }],
        });
      const message = 'Bind for 0.0.0.0:8080 failed: port is already allocated (tcp, held by container web)';
      await assert.rejects(publish(8080), { code: 'port-taken', kind: 'conflict', message });
      await assert.rejects(publish(8080, MACHINE_ADDRESS), { code: 'port-taken' });
      const server = await serve('machine', { port: 7777, name: 'someone' });
      await assert.rejects(publish(7777), (error: Error) => error.message.includes(`pid ${server.pid})`));
      await assert.rejects(publish(7778, '192.0.2.99'), { code: 'port-address-unknown' });
      assert.deepEqual(
        networks.endpointsOf('shop').map(({ sandboxId }) => sandboxId),
        [web.id, worker.id],
      );
      server.kill();
    });

    it('go with the container, and another program may have them', async () => {
      const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8090 }] as const;
      const brief = await openNamed(networks, 'brief', { on: ['shop'], ports });
      await networks.closeSandbox(brief.id);
      const server = await serve('machine', { port: 8090, name: 'program' });
      assert.equal(await ask('outside', MACHINE_ADDRESS, 8090), `program ${OUTSIDE_ADDRESS}`);
      server.kill();
    });
  });

  describe('names', () => {
    it('are those of container, aliases, short id and host name, and of the outside', async () => {
      const lookUp = (name: string, type?: string) => resolve(worker, gatewayOf(worker), name, type);
      for (const name of ['web', 'WWW', 'api.shop.example', shortId(web.id), 'web-host'])
        assert.equal(await lookUp(name), addressOf(web, 'shop'), name);
      assert.equal(await lookUp('outside.example'), '203.0.113.7');
      assert.equal(await lookUp('nobody'), 'ENOTFOUND');
      assert.equal(await lookUp('web', 'AAAA'), 'ENODATA');
      assert.equal(await lookUp('api.shop.example', 'AAAA'), 'ENODATA');
      const reverse = addressOf(web, 'shop').split('.').toReversed().join('.');
      assert.equal(await lookUp(`${reverse}.in-addr.arpa`, 'PTR'), 'web');
    });

    it('give one address for each container that shares an alias, and follow a rename', async () => {
      const twin = await openNamed(networks, 'twin', { on: [{ network: 'shop', aliases: ['www'] }] });
      const both = [addressOf(web, 'shop'), addressOf(twin, 'shop')].sort().join(' ');
      assert.equal(await resolve(worker, gatewayOf(worker), 'www'), both);
      await networks.rename(twin.id, 'renamed');
      assert.equal(await resolve(worker, gatewayOf(worker), 'renamed'), addressOf(twin, 'shop'));
      await networks.closeSandbox(twin.id);
      assert.equal(await resolve(worker, gatewayOf(worker), 'www'), addressOf(web, 'shop'));
      assert.equal(await resolve(worker, gatewayOf(worker), 'renamed'), 'ENOTFOUND');
    });

    it('stay within the network', async () => {
      assert.equal(await resolve(stranger, gatewayOf(stranger), 'web'), 'ENOTFOUND');
      assert.equal(await resolve(stranger, gatewayOf(web), 'web'), 'ETIMEOUT');
      assert.equal(await resolve('outside', gatewayOf(web), 'web'), 'ETIMEOUT');
    });

    it('of all its networks are known to a container on several, and it alone may ask that resolver', async () => {
      const database = await openNamed(networks, 'db', { on: ['shop', { network: 'other', aliases: ['pg'] }] });
      const server = nameserverOf(database);
      assert.equal(await resolve(database, server, 'web'), addressOf(web, 'shop'));
      assert.equal(await resolve(database, server, 'stranger'), addressOf(stranger, 'other'));
      assert.equal(await resolve(database, server, 'outside.example'), '203.0.113.7');
      assert.equal(await resolve(database, server, 'pg'), addressOf(database, 'other'));
      assert.equal(await resolve(worker, server, 'stranger'), 'ETIMEOUT');
      assert.equal(await resolve(stranger, gatewayOf(stranger), 'pg'), addressOf(database, 'other'));
      await networks.closeSandbox(database.id);
    });

    it('follow connect and disconnect, in the same resolv.conf', async () => {
      const mover = await openNamed(networks, 'mover', { on: ['shop'] });
      const { ino } = statSync(mover.resolvConf);
      await networks.connect(mover.id, { network: 'other', aliases: ['guest'] });
      assert.equal(await resolve(mover, nameserverOf(mover), 'stranger'), addressOf(stranger, 'other'));
      assert.equal(await resolve(mover, nameserverOf(mover), 'web'), addressOf(web, 'shop'));
      assert.match(await ask(mover, addressOf(stranger, 'other'), 80), /^stranger/);
      await networks.disconnect(mover.id, 'shop');
      assert.equal(await resolve(mover, nameserverOf(mover), 'web'), 'ENOTFOUND');
      assert.equal(await resolve(mover, nameserverOf(mover), 'stranger'), addressOf(stranger, 'other'));
      assert.equal(await ask(mover, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`);
      assert.equal(statSync(mover.resolvConf).ino, ino);
      await networks.closeSandbox(mover.id);
    });

    it('are answered without a gap while containers come and go', async () => {
      const hammering = hammer(worker, gatewayOf(worker), 'web', 1_500);
      const end = performance.now() + 1_500;
      while (performance.now() < end) {
        const passing = await openNamed(networks, 'passing', { on: [{ network: 'shop', aliases: ['www'] }] });
        await networks.closeSandbox(passing.id);
      }
      const result = await hammering;
      assert.match(result, /^0 failed of \d{3,}$/, result);
    });

    it('come from the servers that a container asks for, and from /etc/hosts', async () => {
      const box = await openNamed(networks, 'box', {
        on: ['shop'],
        dns: [OUTSIDE_ADDRESS],
        extraHosts: ['h:host-gateway', 'x:192.0.2.1'],
      });
      assert.equal(await resolve(box, nameserverOf(box), 'web'), addressOf(web, 'shop'));
      assert.equal(await resolve(box, nameserverOf(box), 'outside.example'), '203.0.113.7');
      const hosts = readFileSync(box.hosts, 'utf8');
      assert.match(hosts, new RegExp(`${gatewayOf(box)}\th\n192.0.2.1\tx\n${addressOf(box, 'shop')}\tbox-host\n`));
      await networks.closeSandbox(box.id);
    });
  });

  describe('an internal network', () => {
    it('has names and neighbours, but no outside, neither way', async () => {
      const { subnet } = await networks.create({ name: 'vault', internal: true });
      const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8070 }] as const;
      const safe = await openNamed(networks, 'safe', { on: ['vault'], ports });
      const clerk = await openNamed(networks, 'clerk', { on: ['vault'] });
      await serve(safe, { port: 80, name: 'safe' });
      assert.equal(await ask(clerk, addressOf(safe, 'vault'), 80), `safe ${addressOf(clerk, 'vault')}`);
      assert.equal(await resolve(clerk, nameserverOf(clerk), 'safe'), addressOf(safe, 'vault'));
      assert.equal(await resolve(clerk, nameserverOf(clerk), 'outside.example'), 'ENOTFOUND');
      assert.equal(await ask(clerk, OUTSIDE_ADDRESS, 443), 'ENETUNREACH');
      must('nsenter', `--net=${clerk.namespacePath}`, 'ip', 'route', 'add', 'default', 'via', gatewayOf(clerk));
      assert.equal(await ask(clerk, OUTSIDE_ADDRESS, 443), 'ETIMEDOUT');
      assert.equal(await ask(clerk, MACHINE_ADDRESS, 8080), 'ETIMEDOUT');
      assert.deepEqual(safe.ports, []);
      assert.match(subnet, /\/22$/);
    });

    it('does not shut out a container that is on another one too', async () => {
      const both = await openNamed(networks, 'both', { on: ['vault', 'shop'] });
      assert.equal(await resolve(both, nameserverOf(both), 'safe').then((a) => a.length > 0), true);
      assert.equal(await resolve(both, nameserverOf(both), 'outside.example'), '203.0.113.7');
      assert.equal(await ask(both, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`);
      await networks.closeSandbox(both.id);
    });
  });

  it('the predefined bridge has no names, and the resolvers of the machine', async () => {
    const plain = await openNamed(networks, 'plain', { on: ['bridge'] });
    assert.equal(nameserverOf(plain), OUTSIDE_ADDRESS);
    assert.equal(await ask(plain, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`);
    assert.equal(await ask(plain, addressOf(web, 'shop'), 80), 'ETIMEDOUT');
    await networks.closeSandbox(plain.id);
  });

  it('refuse what cannot be, in the words of Docker', async () => {
    await assert.rejects(networks.create({ name: 'shop' }), { message: 'network with name shop already exists' });
    await assert.rejects(networks.create({ name: 'x', subnet: '198.51.100.0/25' }), {
      code: 'network-subnet-overlaps',
    });
    await assert.rejects(networks.create({ name: 'x', subnet: '10.1.0.0/24', gateway: '10.2.0.1' }), {
      code: 'network-invalid',
    });
    await assert.rejects(networks.remove('shop'), {
      code: 'network-in-use',
      message: /has active endpoints \(name:"web"/,
    });
    await assert.rejects(networks.remove('bridge'), { code: 'network-predefined' });
    const taken = [{ network: 'shop', ipv4Address: addressOf(web, 'shop') }];
    await assert.rejects(openNamed(networks, 'y', { on: taken }), { code: 'address-taken' });
    await assert.rejects(networks.connect(web.id, { network: 'shop' }), { code: 'already-connected' });
    await assert.rejects(networks.disconnect(web.id, 'other'), { code: 'not-connected' });
  });

  it('give the address that was asked for, and none twice in a row', async () => {
    await networks.create({
      name: 'fixed',
      subnet: '10.123.0.0/24',
      gateway: '10.123.0.254',
      ipRange: '10.123.0.128/25',
    });
    const fixed = await openNamed(networks, 'fixed', { on: [{ network: 'fixed', ipv4Address: '10.123.0.7' }] });
    assert.equal(addressOf(fixed, 'fixed'), '10.123.0.7');
    const first = await openNamed(networks, 'first', { on: ['fixed'] });
    assert.equal(addressOf(first, 'fixed'), '10.123.0.128');
    await networks.closeSandbox(first.id);
    const second = await openNamed(networks, 'second', { on: ['fixed'] });
    assert.equal(addressOf(second, 'fixed'), '10.123.0.129');
    for (const sandbox of [fixed, second]) await networks.closeSandbox(sandbox.id);
    await networks.remove('fixed');
  });
});

function nameserverOf(sandbox: Sandbox): string {
  return /nameserver (\S+)/.exec(readFileSync(sandbox.resolvConf, 'utf8'))?.[1] ?? '';
}
