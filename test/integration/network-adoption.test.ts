import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import type { Networks, Sandbox } from '../../src/engine/network/index.ts';
import { scopeOf } from '../../src/lib/scope.ts';
import { addressOf, openNamed, openTestNetworks, TEST_ROOT } from '../support/network-daemon.ts';
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
import { waitFor } from '../support/wait.ts';

enterOwnMachine(import.meta.filename);

const DAEMON = join(import.meta.dirname, '../support/network-daemon-process.ts');
const scope = scopeOf(TEST_ROOT);
const table = `bascule_${scope.suffix}`;

describe('after a SIGKILL of the daemon', () => {
  let networks: Networks;
  let keeper: Sandbox;
  let gonerId: string;

  before(async () => {
    const daemon = spawn(process.execPath, [DAEMON], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: daemon.stdout }), 'line')) as [string];
    const [keeperId = '', goner = ''] = JSON.parse(line) as string[];
    gonerId = goner;
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    const namespacePath = join(scope.runDirectory, 'netns', keeperId);
    await serve({ namespacePath }, { port: 80, name: 'keeper' });
    await serve('outside', { port: 443, name: 'outside' });
    const hammering = hammer({ namespacePath }, nameserverAt(keeperId), 'keeper', 800);
    networks = await openTestNetworks({ live: [keeperId] });
    assert.match(await hammering, /^0 failed of \d{2,}$/);
    keeper = networks.sandbox(keeperId)!;
  });
  after(async () => {
    stopPeers();
    await networks.destroy();
    await networks.close();
  });

  it('a container that lives has its ports, its names and the outside as before', async () => {
    assert.equal(await ask('outside', MACHINE_ADDRESS, 8080), `keeper ${OUTSIDE_ADDRESS}`);
    assert.equal(await ask(keeper, OUTSIDE_ADDRESS, 443), `outside ${MACHINE_ADDRESS}`);
    assert.equal(await resolve(keeper, nameserverAt(keeper.id), 'outside.example'), '203.0.113.7');
    await assert.rejects(openNamed(networks, 'x', { on: ['shop'], ports: keeper.ports }), { code: 'port-taken' });
  });

  it('nothing is left of those that do not live', async () => {
    assert.equal(networks.sandbox(gonerId), undefined);
    assert.deepEqual(readdirSync(join(scope.runDirectory, 'netns')), [keeper.id]);
    assert.deepEqual(
      networks.endpointsOf('shop').map(({ sandboxId }) => sandboxId),
      [keeper.id],
    );
    const { bridge } = networks.get('shop');
    await waitFor(() => readdirSync(`/sys/class/net/${bridge}/brif`).length === 1, {
      timeoutMs: 15_000,
      what: 'only the link of the living container is on the bridge',
    });
    assert.equal(await resolve(keeper, nameserverAt(keeper.id), 'goner'), 'ENOTFOUND');
    assert.doesNotMatch(must('nft', 'list', 'map', 'ip', table, 'tcp_any'), /, /);
  });

  it('new containers come beside it', async () => {
    const fresh = await openNamed(networks, 'fresh', { on: ['shop'] });
    assert.equal(await ask(fresh, addressOf(keeper, 'shop'), 80), `keeper ${addressOf(fresh, 'shop')}`);
    assert.equal(await resolve(keeper, nameserverAt(keeper.id), 'fresh'), addressOf(fresh, 'shop'));
    await networks.closeSandbox(fresh.id);
  });

  it('rules that somebody flushed come back with the next container', async () => {
    must('nft', 'delete', 'table', 'ip', table);
    const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8085 }] as const;
    const next = await openNamed(networks, 'next', { on: ['shop'], ports });
    assert.equal(await ask('outside', MACHINE_ADDRESS, 8080), `keeper ${OUTSIDE_ADDRESS}`);
    await networks.closeSandbox(next.id);
  });

  it('a name server that dies is started again', async () => {
    for (const file of readdirSync(join(scope.runDirectory, 'names')).filter((name) => name.endsWith('.pid')))
      process.kill(Number(readFileSync(join(scope.runDirectory, 'names', file), 'utf8')), 'SIGKILL');
    const answer = async () => (await resolve(keeper, nameserverAt(keeper.id), 'keeper')).includes('10.');
    await waitFor(answer, { timeoutMs: 10_000, what: 'names are answered again', intervalMs: 200 });
  });

  it('what fails half-way is undone: nothing is left of it', async () => {
    const network = await networks.create({ name: 'spoilt' });
    const squatter = await serve('machine', { port: 53, name: 'squatter', host: network.gateway });
    const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8086 }] as const;
    const message = /name server \(dnsmasq\) on .*address already in use/i;
    await assert.rejects(openNamed(networks, 'unlucky', { on: ['spoilt'], ports }), { kind: 'unavailable', message });
    squatter.kill();
    assert.deepEqual(readdirSync(join(scope.runDirectory, 'netns')), [keeper.id]);
    assert.deepEqual(readdirSync(join(scope.runDirectory, 'sandboxes')), [keeper.id]);
    assert.deepEqual(networks.endpointsOf(network.id), []);
    await once(squatter, 'exit');
    const lucky = await openNamed(networks, 'lucky', { on: ['spoilt'], ports });
    await networks.closeSandbox(lucky.id);
    await networks.remove('spoilt');
  });

  it('a daemon killed at any moment leaves nothing that the next one does not clear away', async () => {
    for (const delayMs of [150, 165, 180, 195, 210]) {
      const daemon = spawn(process.execPath, [DAEMON], { env: { ...process.env, ROOT: '/run/test-crash' } });
      setTimeout(() => daemon.kill('SIGKILL'), delayMs);
      await once(daemon, 'exit');
      const next = await openTestNetworks({ root: '/run/test-crash' });
      const crashed = scopeOf('/run/test-crash');
      assert.deepEqual(readdirSync(join(crashed.runDirectory, 'netns')), []);
      const shop = next.find('shop') ?? (await next.create({ name: 'shop' }));
      const box = await openNamed(next, 'box', { on: [shop.name], ports: [{ containerPort: 80, protocol: 'tcp' }] });
      assert.equal(await resolve(box, box.endpoints[0]!.gateway, 'box'), addressOf(box, 'shop'));
      await next.destroy();
      for (const name of ['shop', 'vault']) if (next.find(name) !== undefined) await next.remove(name);
      await next.close();
    }
  });

  it('a strict umask keeps nobody from names', async () => {
    const umask = process.umask(0o077);
    const strict = await openTestNetworks({ root: '/run/test-strict' });
    try {
      await strict.create({ name: 'shop' });
      const box = await openNamed(strict, 'box', { on: ['shop'] });
      const second = await openNamed(strict, 'second', { on: ['shop'] });
      assert.equal(await resolve(box, box.endpoints[0]!.gateway, 'second'), addressOf(second, 'shop'));
      assert.equal(statSync(box.resolvConf).mode & 0o777, 0o644);
    } finally {
      process.umask(umask);
      await strict.destroy();
      await strict.close();
    }
  });

  it('a reboot leaves records only, and the networks come back from them', async () => {
    const shop = networks.get('shop');
    await networks.close();
    reboot();
    networks = await openTestNetworks();
    assert.deepEqual(networks.get('shop'), shop);
    assert.equal(networks.sandbox(keeper.id), undefined);
    const again = await openNamed(networks, 'again', { on: ['shop'], ports: keeper.ports });
    await serve(again, { port: 80, name: 'again' });
    assert.equal(await ask('outside', MACHINE_ADDRESS, 8080), `again ${OUTSIDE_ADDRESS}`);
    assert.equal(await resolve(again, nameserverAt(again.id), 'again'), addressOf(again, 'shop'));
  });

  it('destroy leaves nothing of this root on the machine, and nothing of another root is touched', async () => {
    const other = await openTestNetworks({ root: '/run/test-other-root' });
    await other.create({ name: 'shop' });
    const theirs = await openNamed(other, 'theirs', { on: ['shop'] });
    await networks.destroy();
    assert.deepEqual(leftovers().devices, [other.get('shop').bridge]);
    assert.equal(leftovers().tables.includes(table), false);
    assert.match(must('nsenter', `--net=${theirs.namespacePath}`, 'ip', 'addr'), /eth0/);
    await other.destroy();
    await other.close();
    assert.deepEqual(leftovers(), { devices: [], tables: [], rules: [], nameServers: [] });
  });
});

function nameserverAt(sandboxId: string): string {
  const text = readFileSync(join(scope.runDirectory, 'sandboxes', sandboxId, 'resolv.conf'), 'utf8');
  return /nameserver (\S+)/.exec(text)?.[1] ?? '';
}

/** What a reboot does to this root. */
function reboot(): void {
  stopPeers();
  for (const { ifname } of JSON.parse(must('ip', '-j', 'link')) as { ifname: string }[])
    if (/^bs[cv]/.test(ifname)) must('ip', 'link', 'del', ifname);
  must('nft', 'flush', 'ruleset'); // of this test's own network namespace
  for (const pid of nameServers()) process.kill(Number(pid), 'SIGKILL');
  for (const id of readdirSync(join(scope.runDirectory, 'netns')))
    must('umount', join(scope.runDirectory, 'netns', id));
  rmSync(scope.runDirectory, { recursive: true });
}

function leftovers(): Record<'devices' | 'tables' | 'rules' | 'nameServers', readonly string[]> {
  const links = JSON.parse(must('ip', '-j', 'link')) as { ifname: string }[];
  return {
    devices: links.map(({ ifname }) => ifname).filter((name) => name.startsWith('bsc-')),
    tables: must('nft', 'list', 'tables').match(/bascule\w*/g) ?? [],
    rules: must('iptables', '-S', 'FORWARD').match(/.*bsc.*/g) ?? [],
    nameServers: nameServers(),
  };
}

/** Pids of the name servers whose files lie in our run directories (the outside's is another). */
function nameServers(): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/cmdline`)) return false;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--pid-file=/run/bascule-');
  });
}
