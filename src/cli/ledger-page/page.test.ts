import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleLedger } from '../../../test/support/sample-ledger.ts';
import { elapsed, ticksOf } from './chart.ts';
import { renderLedgerPage } from './page.ts';

const VOID = new Set(['meta', 'br', '!doctype']);

/** The elements that are opened and not closed in their order. */
function unbalanced(page: string): readonly string[] {
  const open: string[] = [];
  for (const [, slash, name = '', selfClosed] of page.matchAll(/<(\/?)([a-z!][a-z0-9]*)(?:"[^"]*"|[^">])*?(\/?)>/gi)) {
    if (VOID.has(name.toLowerCase()) || selfClosed === '/') continue;
    if (slash !== '/') open.push(name);
    else if (open.pop() !== name) return [...open, `/${name}`];
  }
  return open;
}

describe('the page of a ledger', () => {
  const page = renderLedgerPage(sampleLedger());

  it('is well-formed, small and needs nothing from elsewhere', () => {
    assert.deepEqual(unbalanced(page), []);
    assert.doesNotMatch(page, /<script|<link|<img|<iframe|@import|url\(|\ssrc=|\shref=/i);
    assert.match(page, /default-src 'none'/);
    assert.doesNotMatch(page, /NaN|undefined<|Infinity|\[object/);
    assert.ok(page.length < 300_000, `${page.length} characters`);
  });

  it('stays small for the longest rollout', () => {
    const long = renderLedgerPage(sampleLedger({ seconds: 600 }));
    assert.ok(long.length < 300_000, `${long.length} characters`);
  });

  it('says first, and in red, that requests were lost', () => {
    assert.match(page, /class="banner bad"[^>]*>[^<]*3 requests were LOST/);
    assert.match(renderLedgerPage(sampleLedger({ lost: 1 })), /1 request was LOST/);
    const clean = renderLedgerPage(sampleLedger({ lost: 0 }));
    assert.match(clean, /class="banner odd"[^>]*>[^<]*no request was lost/);
    assert.doesNotMatch(clean, /class="banner bad"/);
  });

  it('shows what others wrote as text', () => {
    assert.match(page, /maria &lt;b&gt;/);
    assert.match(page, /TypeError: &lt;undefined&gt; &amp; more\[31m/);
  });

  it('says in words what its plots show', () => {
    const plots = [...page.matchAll(/<svg[^>]*role="img"[^>]*aria-label="([^"]+)"/g)].map(([, label]) => label);
    assert.equal(plots.length, 6);
    for (const label of plots) assert.match(label ?? '', /: .+\.$/);
  });

  it('has a page for a rollout of which little is known', () => {
    const { series: _, verdict: __, failure: ___, ...rest } = sampleLedger();
    const bare = renderLedgerPage({
      ...rest,
      sides: [],
      probes: [],
      guards: [],
      controls: [],
      traffic: [],
      doubts: [],
      result: 'running',
    });
    assert.deepEqual(unbalanced(bare), []);
    assert.match(bare, /Still running/);
  });
});

describe('scales', () => {
  it('have round steps that reach beyond the highest value', () => {
    assert.deepEqual(ticksOf(0, 9.3, 4), [0, 2.5, 5, 7.5, 10]);
    assert.deepEqual(ticksOf(-1, 2.5, 4), [-1, 0, 1, 2, 3]);
    assert.deepEqual(ticksOf(0, 0.01, 4), [0, 0.0025, 0.005, 0.0075, 0.01]);
  });

  it('tell time in its largest unit', () => {
    assert.deepEqual([0, 45_000, 60_000, 150_000, 3_600_000, 11_100_000].map(elapsed), [
      '0',
      '45 s',
      '1 min',
      '2:30 min',
      '1 h',
      '3:05 h',
    ]);
  });
});
