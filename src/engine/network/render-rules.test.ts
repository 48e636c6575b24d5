import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RulesModel } from './render-rules.ts';
import { renderDifference, renderRules } from './render-rules.ts';

const shop = {
  bridge: 'bsc-1',
  subnet: '10.89.0.0/24',
  gateway: '10.89.0.1',
  internal: false,
  masquerade: true,
  opensMetadata: false,
};
const vault = {
  bridge: 'bsc-2',
  subnet: '10.89.1.0/24',
  gateway: '10.89.1.1',
  internal: true,
  masquerade: true,
  opensMetadata: false,
};
const web = {
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  address: '10.89.0.2',
  containerPort: 80,
} as const;
const local = { ...web, hostAddress: '127.0.0.1', hostPort: 8081, protocol: 'udp' } as const;
const empty: RulesModel = { networks: [], views: [], ports: [] };

describe('packet rules', () => {
  it('of a new network and a published port are a handful of elements', () => {
    const text = renderDifference('bascule', empty, { networks: [shop], views: [], ports: [web, local] });
    assert.equal(
      text,
      [
        'add element ip bascule bridges { "bsc-1" }',
        'add element ip bascule same_bridge { "bsc-1" . "bsc-1" }',
        'add element ip bascule hairpins { 10.89.0.0/24 . 10.89.0.0/24 }',
        'add element ip bascule resolvers { 10.89.0.1 }',
        'add element ip bascule resolver_doors { "bsc-1" . 10.89.0.1 }',
        'add element ip bascule masqueraded { 10.89.0.0/24 }',
        'add element ip bascule tcp_any { 8080 : 10.89.0.2 . 80 }',
        'add element ip bascule udp_at { 127.0.0.1 . 8081 : 10.89.0.2 . 80 }',
        '',
      ].join('\n'),
    );
  });

  it('let a network ask for the metadata of the machine only where it says so', () => {
    const open = { ...shop, opensMetadata: true };
    const text = renderDifference('bascule', { ...empty, networks: [shop] }, { ...empty, networks: [open] });
    assert.equal(text, 'add element ip bascule metadata_open { "bsc-1" }\n');
  });

  it('do not let an internal network out', () => {
    const text = renderDifference('bascule', empty, { networks: [vault], views: [], ports: [] });
    assert.match(text, /internal \{ "bsc-2" \}/);
    assert.doesNotMatch(text, /masqueraded/);
  });

  it('open a resolver of several networks to its containers alone', () => {
    const view = { address: '10.89.0.254', guests: ['10.89.0.3'] };
    const text = renderDifference('bascule', empty, { networks: [], views: [view], ports: [] });
    assert.match(text, /resolver_guests \{ 10\.89\.0\.3 \. 10\.89\.0\.254 \}/);
    assert.doesNotMatch(text, /doors/);
  });

  it('that do not change need no transaction', () => {
    const model = { networks: [shop, vault], views: [], ports: [web] };
    assert.equal(renderDifference('bascule', model, structuredClone(model)), '');
  });

  it('move a port with the deletion first', () => {
    const before = { networks: [], views: [], ports: [web] };
    const after = { networks: [], views: [], ports: [{ ...web, address: '10.89.0.9' }] };
    assert.equal(
      renderDifference('bascule', before, after),
      'delete element ip bascule tcp_any { 8080 : 10.89.0.2 . 80 }\nadd element ip bascule tcp_any { 8080 : 10.89.0.9 . 80 }\n',
    );
  });

  it('made anew replace the table in one transaction', () => {
    const text = renderRules('bascule_ab', { networks: [shop], views: [], ports: [] });
    assert.ok(text.startsWith('add table ip bascule_ab\ndelete table ip bascule_ab\ntable ip bascule_ab {\n'));
    assert.match(text, /add element ip bascule_ab bridges/);
  });

  it('reach any state from any other, step by step', () => {
    const port = fc.record({
      protocol: fc.constantFrom('tcp', 'udp'),
      hostAddress: fc.constantFrom('0.0.0.0', '127.0.0.1'),
      hostPort: fc.integer({ min: 1, max: 5 }),
      address: fc.constantFrom('10.89.0.2', '10.89.0.3'),
      containerPort: fc.constantFrom(80, 81),
    });
    const ports = fc.uniqueArray(port, { selector: (p) => `${p.protocol} ${p.hostAddress} ${p.hostPort}` });
    const model = ports.map((chosen) => ({ ...empty, ports: chosen }));
    fc.assert(
      fc.property(fc.array(model), (models) => {
        const elements = new Set<string>();
        let before = empty;
        for (const after of models) {
          for (const [, verb, element] of renderDifference('t', before, after).matchAll(
            /(add|delete) element (.*)\n/g,
          )) {
            assert.equal(elements.has(element!), verb === 'delete');
            if (verb === 'add') elements.add(element!);
            else elements.delete(element!);
          }
          before = after;
        }
        assert.equal(elements.size, before.ports.length);
      }),
    );
  });
});
