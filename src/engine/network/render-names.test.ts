import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  namesOf,
  parseResolvConf,
  renderContainerHosts,
  renderLocalNames,
  renderNetworkHosts,
  renderResolvConf,
} from './render-names.ts';
import { chooseResolver, renderResolverArgv } from './resolver-plan.ts';
import { parseExtraHost } from './sandbox-files.ts';

const sandboxId = 'abcdef0123456789'.repeat(4);
const web = {
  sandboxId,
  name: 'shop-web-1',
  hostname: 'abcdef012345',
  aliases: ['web', 'web', 'www'],
  address: '10.0.0.2',
};

describe('names of containers', () => {
  it('are container name first, then aliases, short id and host name, each once', () => {
    assert.deepEqual(namesOf(web), ['shop-web-1', 'web', 'www', 'abcdef012345']);
  });

  it('that would break the file are left out', () => {
    const aliases = ['a b', 'x\n1.2.3.4 evil', '#c', '-x', '', 'under_score', 'a.b', 'x'.repeat(254)];
    assert.deepEqual(namesOf({ ...web, aliases }), ['shop-web-1', 'under_score', 'a.b', 'abcdef012345']);
  });

  it('stand in the hosts file of a network, one line a container', () => {
    const twin = {
      ...web,
      sandboxId: `f${sandboxId.slice(1)}`,
      name: 'shop-web-2',
      hostname: 'h',
      address: '10.0.0.3',
    };
    assert.equal(
      renderNetworkHosts([web, twin]),
      '10.0.0.2 shop-web-1 web www abcdef012345\n10.0.0.3 shop-web-2 web www fbcdef012345 h\n',
    );
    assert.equal(renderNetworkHosts([]), '');
  });

  it('with dots are local, those below them are not', () => {
    assert.equal(
      renderLocalNames([{ ...web, aliases: ['db.internal'] }]),
      'server=/db.internal/\nserver=/*.db.internal/#\n',
    );
  });
});

describe('files of a container', () => {
  it('resolv.conf is written as it is read', () => {
    const conf = { servers: ['10.0.0.1', '1.1.1.1'], search: ['corp.example', 'lan'], options: ['ndots:0'] };
    assert.deepEqual(parseResolvConf(renderResolvConf(conf)), conf);
    const text = '# comment\nsearch a\nnameserver 127.0.0.53\nsearch b c\noptions edns0 trust-ad\n';
    assert.deepEqual(parseResolvConf(text), {
      servers: ['127.0.0.53'],
      search: ['b', 'c'],
      options: ['edns0', 'trust-ad'],
    });
  });

  it('hosts has the container by host name and domain, and what was added', () => {
    const extra = parseExtraHost('api:host-gateway', '10.0.0.1').concat(parseExtraHost('v6=[::2]', undefined));
    const text = renderContainerHosts({ extra, addresses: ['10.0.0.2'], hostname: 'web', domainname: 'shop.example' });
    assert.ok(text.startsWith('127.0.0.1\tlocalhost\n'));
    assert.ok(text.endsWith('10.0.0.1\tapi\n::2\tv6\n10.0.0.2\tweb.shop.example web\n'));
    assert.deepEqual(parseExtraHost('api:host-gateway', undefined), []);
  });
});

describe('the resolver of a container', () => {
  const a = { id: 'a', internal: false, hasNames: true };
  const b = { id: 'b', internal: false, hasNames: true };
  const vault = { id: 'v', internal: true, hasNames: true };
  const bridge = { id: 'x', internal: false, hasNames: false };

  it('is that of its network when it has one', () => {
    assert.deepEqual(chooseResolver([a], [], ['1.1.1.1']), {
      kind: 'network',
      networkId: 'a',
      upstream: { kind: 'host' },
    });
    assert.deepEqual(chooseResolver([vault], ['9.9.9.9'], []), {
      kind: 'network',
      networkId: 'v',
      upstream: { kind: 'none' },
    });
    assert.equal(chooseResolver([bridge, a], [], []).kind, 'network');
  });

  it('is a view of all its networks when it has several, the same one for the same set', () => {
    const first = chooseResolver([a, b, vault], [], []);
    assert.ok(first.kind === 'view');
    assert.deepEqual(first.networkIds, ['a', 'b', 'v']);
    assert.deepEqual(chooseResolver([a, vault, b], [], []), first);
    assert.notDeepEqual(chooseResolver([b, a, vault], [], []), first);
    assert.deepEqual(first.upstream, { kind: 'host' });
  });

  it('is a view of one network when outside names come from elsewhere than for its neighbours', () => {
    assert.equal(chooseResolver([a], ['9.9.9.9'], []).kind, 'view');
    assert.equal(chooseResolver([vault, bridge], [], []).kind, 'view');
  });

  it('on the predefined bridge is that of the host, or a forwarder where it cannot be reached', () => {
    assert.deepEqual(chooseResolver([bridge], [], ['1.1.1.1']), { kind: 'outside', servers: ['1.1.1.1'] });
    assert.deepEqual(chooseResolver([bridge], ['9.9.9.9'], ['1.1.1.1']), { kind: 'outside', servers: ['9.9.9.9'] });
    assert.equal(chooseResolver([bridge], [], []).kind, 'network');
  });

  it('on internal networks asks nobody', () => {
    const argv = renderResolverArgv({
      address: '10.0.0.1',
      pidFile: '/r/a.pid',
      hostsFiles: ['/r/a.hosts'],
      localNamesFile: '/r/a.local',
      upstream: { kind: 'none' },
    });
    assert.ok(argv.includes('--no-resolv') && argv.includes('--local=/#/'));
    assert.ok(!argv.some((option) => option.startsWith('--resolv-file')));
  });
});
