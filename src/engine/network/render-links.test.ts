import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { macOf, parseAddress } from './ipv4.ts';
import {
  bridgeOf,
  hostLinkOf,
  renderBridge,
  renderDefaultRoute,
  renderEndpoint,
  renderViewAddresses,
} from './render-links.ts';

const id = '0123456789abcdef'.repeat(4);

describe('links', () => {
  it('have names that Linux takes', () => {
    assert.equal(bridgeOf(id), 'bsc-01234567');
    assert.equal(hostLinkOf(id), 'bsv0123456789ab');
    assert.ok(hostLinkOf(id).length <= 15);
  });

  it('of a network are a bridge with the address of the gateway', () => {
    assert.equal(
      renderBridge({ bridge: 'bsc-01234567', gateway: '10.89.0.1', prefixLength: 24, mtu: 1400 }),
      `link add bsc-01234567 mtu 1400 address 02:42:0a:59:00:01 type bridge
link set bsc-01234567 addrgenmode none
addr add 10.89.0.1/24 brd + dev bsc-01234567
link set bsc-01234567 up
`,
    );
  });

  it('of an endpoint are made from inside, with the end of the host under its bridge at once', () => {
    const address = '10.89.0.2';
    const macAddress = macOf(parseAddress(address)!);
    const link = {
      endpointId: id,
      interfaceName: 'eth0',
      address,
      prefixLength: 24,
      macAddress,
      mtu: 1400,
      bridgeIndex: 7,
    };
    assert.equal(
      renderEndpoint(link, '/proc/1/ns/net') + renderDefaultRoute({ gateway: '10.89.0.1', interfaceName: 'eth0' }),
      `link add netns /proc/1/ns/net name bsv0123456789ab mtu 1400 master if7 up type veth peer name eth0 mtu 1400 address 02:42:0a:59:00:02
link set eth0 addrgenmode none
addr add 10.89.0.2/24 brd + dev eth0
link set eth0 up
route replace default via 10.89.0.1 dev eth0
`,
    );
  });

  it('take further addresses for resolvers', () => {
    assert.equal(renderViewAddresses('replace', ['10.89.0.254 bsc-1']), 'addr replace 10.89.0.254/32 dev bsc-1\n');
    assert.equal(renderViewAddresses('del', []), '');
  });
});
