import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Networks, Sandbox } from '../../src/engine/network/index.ts';
import { addressOf, openNamed, openTestNetworks } from '../support/network-daemon.ts';
import {
  ask,
  enterOwnMachine,
  MACHINE_ADDRESS,
  must,
  OUTSIDE_ADDRESS,
  resolve,
  serve,
  stopPeers,
} from '../support/own-machine.ts';
import { waitFor } from '../support/wait.ts';

enterOwnMachine(import.meta.filename);

const isThere = spawnSync('dockerd', ['--version']).status === 0;
const host = 'unix:///run/dockerd.sock';

describe('beside a dockerd', { skip: isThere ? false : 'dockerd is not installed' }, () => {
  let networks: Networks;
  let web: Sandbox;
  let client: Sandbox;
  let dockerd: ChildProcess;

  before(async () => {
    networks = await openTestNetworks();
    await networks.create({ name: 'shop' });
    await serve('outside', { port: 443, name: 'outside' });
    await reopen();
  });
  after(async () => {
    stopPeers();
    await stopDockerd();
    await networks.destroy();
    await networks.close();
  });

  it('that starts after us, containers go on', async () => {
    await startDockerd();
    await theyWork();
  });

  it('containers that are opened later work too', async () => {
    await networks.closeSandbox(web.id);
    await networks.closeSandbox(client.id);
    await reopen();
    await theyWork();
  });

  it('its own networks keep working, and each is apart from the other', async () => {
    must('docker', '-H', host, 'network', 'create', 'theirs');
    const network = JSON.parse(must('docker', '-H', host, 'network', 'inspect', 'theirs')) as [DockerNetwork];
    const { Subnet: subnet = '', Gateway: gateway = '' } = network[0].IPAM.Config[0];
    const theirs = { namespacePath: attach(`br-${network[0].Id.slice(0, 12)}`, { subnet, gateway }) };
    assert.equal(await ask(theirs, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`);
    assert.equal(await ask(theirs, addressOf(web, 'shop'), 80), 'ETIMEDOUT');
    await assert.rejects(networks.create({ name: 'same', subnet }), { code: 'network-subnet-overlaps' });
  });

  it('that restarts, containers go on', async () => {
    await stopDockerd();
    await theyWork();
    await startDockerd();
    await theyWork();
  });

  it('a flushed FORWARD chain is mended when networks are adopted', async () => {
    must('iptables', '-F', 'FORWARD');
    assert.equal(await ask(client, OUTSIDE_ADDRESS, 443), 'ETIMEDOUT');
    await networks.adopt(new Set([web.id, client.id]));
    await theyWork();
  });

  it('nothing of ours stays in its chain after the last network', async () => {
    await networks.closeSandbox(web.id);
    await networks.closeSandbox(client.id);
    await networks.remove('shop');
    assert.doesNotMatch(must('iptables', '-S', 'FORWARD'), /bsc/);
  });

  async function reopen(): Promise<void> {
    const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8080 }] as const;
    web = await openNamed(networks, 'web', { on: ['shop'], ports });
    client = await openNamed(networks, 'client', { on: ['shop'] });
    await serve(web, { port: 80, name: 'web' });
  }

  async function theyWork(): Promise<void> {
    const { gateway } = client.endpoints[0]!;
    assert.equal(await ask(client, addressOf(web, 'shop'), 80), `web ${addressOf(client, 'shop')}`, 'neighbours');
    assert.equal(await ask(client, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`, 'outwards');
    assert.equal(await ask('outside', MACHINE_ADDRESS, 8080), `web ${OUTSIDE_ADDRESS}`, 'published');
    assert.equal(await ask('machine', '127.0.0.1', 8080), `web ${gateway}`, 'published, from localhost');
    assert.equal(await ask(client, MACHINE_ADDRESS, 8080), `web ${gateway}`, 'hairpin');
    assert.equal(await ask(web, MACHINE_ADDRESS, 8080), `web ${gateway}`, 'hairpin to itself');
    assert.equal(await resolve(client, gateway, 'web'), addressOf(web, 'shop'), 'names');
  }

  /** Where dockerd finds forwarding off, it turns it on and sets the policy to DROP: the harder case. */
  async function startDockerd(): Promise<void> {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
    mkdirSync('/run/docker-data', { recursive: true });
    const log = openSync('/run/dockerd.log', 'a');
    const options = ['--data-root=/run/docker-data', '--exec-root=/run/docker-exec', '--pidfile=/run/dockerd.pid'];
    dockerd = spawn('dockerd', ['-H', host, ...options, '--storage-driver=vfs'], { stdio: ['ignore', log, log] });
    const answers = () => spawnSync('docker', ['-H', host, 'version']).status === 0;
    await waitFor(answers, { timeoutMs: 30_000, what: 'dockerd answers', intervalMs: 200 });
    assert.match(must('iptables', '-S', 'FORWARD'), /-P FORWARD DROP/);
    assert.equal(must('cat', '/proc/sys/net/bridge/bridge-nf-call-iptables').trim(), '1');
  }

  async function stopDockerd(): Promise<void> {
    if (dockerd === undefined || dockerd.exitCode !== null) return;
    dockerd.kill('SIGTERM');
    await once(dockerd, 'exit');
  }
});

interface DockerNetwork {
  readonly Id: string;
  readonly IPAM: { readonly Config: readonly [{ readonly Subnet?: string; readonly Gateway?: string }] };
}

/** A namespace on one of Docker's bridges, as a container of it would be. */
function attach(bridge: string, o: { subnet: string; gateway: string }): string {
  const path = '/run/test-theirs';
  must('touch', path);
  must('unshare', `--net=${path}`, 'true');
  must('ip', 'link', 'add', 'theirs', 'master', bridge, 'up', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', path);
  const address = o.subnet.replace(/\d+\/(\d+)$/, '9/$1');
  const inside = [`addr add ${address} dev eth0`, 'link set eth0 up', `route add default via ${o.gateway}`];
  for (const statement of inside) must('nsenter', `--net=${path}`, 'ip', ...statement.split(' '));
  return path;
}
