import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canaryStatus } from '../../../test/support/rollout-status.ts';
import { styleFor } from '../output/style.ts';
import { widthOf } from '../output/text.ts';
import { renderStatus } from './render-status.ts';
import type { Status } from './status.ts';

const now = new Date('2026-05-01T12:01:12Z');
const style = styleFor(false);

/** As it comes over the wire. */
const wired = (over: Parameters<typeof canaryStatus>[0] = {}): Status =>
  JSON.parse(JSON.stringify(canaryStatus(over))) as Status;

const picture = (status: Status, columns: number, rows?: number): string =>
  renderStatus(status, { columns, now, style, ...(rows === undefined ? {} : { rows }) }).join('\n');

describe('the picture of a rollout', () => {
  it('tells who, what, where it stands and how long it takes', () => {
    const text = picture(wired(), 100);
    assert.match(text, /^shop canary 3 → 4 {2}running 1 min 12 s {2}rollout 7 by ana$/m);
    assert.match(text, /^stage 2 of 3 at 25 %, 1 min 12 s of 2 min left, until 500 requests/m);
    assert.match(text, /^traffic +release 3 75 % ░+█+ 25 % release 4$/m);
  });

  it('puts both sides side by side', () => {
    const text = picture(wired(), 80);
    assert.match(text, /old, release 3 +new, release 4$/m);
    assert.match(text, /^requests +12,345, 120\/s +4,120, 40\.2\/s$/m);
    assert.match(text, /^errors +15, 0\.12 % +4, 0\.10 %$/m);
    assert.match(text, /^p99 +120 ms +133 ms$/m);
  });

  it('shows the evidence against its thresholds, and what is still needed', () => {
    const text = picture(wired(), 80);
    assert.match(text, /^verdict +insufficient: about 1,200 more requests, 30 s at this rate$/m);
    assert.match(text, /^errors +worse +█+░+ +1\.6× of +200× aborts$/m);
    assert.match(text, /^ +not worse +█+ +32× of +20× passes$/m);
    assert.match(text, /^guards +✓ crashes {2}✓ health\n +\? queue: Prometheus has not answered yet$/m);
  });

  it('shows the steps with their marks around the one at hand', () => {
    const text = picture(wired(), 80);
    assert.match(text, /^✓ give 25 % to the new release \(stage 2 of 3\) 340 ms$/m);
    assert.match(text, /^● compare both releases at 25 %/m);
    assert.match(text, /^· switch shop\/web\/80 \(all at once\)$/m);
    const few = picture(wired(), 80, 22);
    assert.match(few, /● compare both releases at 25 %/);
    assert.match(few, /steps +6 of 11 done \(\d+ before, \d+ after\)/);
  });

  it('says why it waits, and why it failed', () => {
    assert.match(
      picture(wired({ state: 'waiting', note: 'waits for `bascule rollout promote`' }), 60),
      /waits for `bascule/,
    );
    const failure = { cancelled: false, reason: 'errors: 4 % against 0.1 %', fix: 'x', logs: [] };
    const text = picture(wired({ state: 'ended', result: 'undone', failure }), 60);
    assert.match(text, /undone/);
    assert.match(text, /errors: 4 % against 0\.1 %/);
  });

  it('draws a bar for each share, and full bars only when all is there', () => {
    const routes = [
      { route: 'shop/web/80', service: 'web', weight: 2_500 },
      { route: 'shop/api/80', service: 'api', weight: 0 },
    ];
    const text = picture(wired({ routes }), 60);
    assert.match(text, /^web +release 3 75 %/m);
    assert.match(text, /^api +release 3 100 % ░+ 0 % release 4$/m);
  });

  it('compares nothing while a person is waited for before the switch', () => {
    const stage = { stage: 0, stages: 0, weight: 0, until: { confirmed: true }, elapsedMs: 6_000 };
    const text = picture(wired({ stage, state: 'waiting', note: 'waits for a person' }), 80);
    assert.match(text, /^6 s so far, until promoted$/m);
    assert.doesNotMatch(text, /stage 0|requests|verdict|p99/);
  });

  it('shows one side when it has ended', () => {
    const ended = { state: 'ended', result: 'undone', endedAt: now } as const;
    assert.match(picture(wired(ended), 80), /release 3 100 % ░+ 0 % release 4/);
    assert.match(picture(wired({ ...ended, result: 'switched' }), 80), /release 3 0 % █+ 100 % release 4/);
  });

  it('cannot be steered by what others wrote', () => {
    const failure = { cancelled: false, reason: 'bad\u001b[2J\nthing\u0007', fix: 'x', logs: [] };
    const lines = renderStatus(wired({ failure, author: 'a\u001b[31mb' }), { columns: 80, now, style });
    assert.ok(lines.every((line) => !/\p{Cc}/u.test(line)));
    assert.ok(lines.includes('bad thing'));
  });

  it('keeps to its columns and rows, whatever they are', () => {
    const long = 'wörter 日本語 und noch mehr davon '.repeat(20);
    const statuses = [
      wired(),
      wired({ note: long, author: long }),
      wired({ steps: [], guards: [], routes: [] }),
      wired({ guards: [{ name: long, state: 'failed', detail: long }] }),
    ];
    const coloured = styleFor(true);
    fc.assert(
      fc.property(
        fc.constantFrom(...statuses),
        fc.integer({ min: 20, max: 220 }),
        fc.integer({ min: 5, max: 80 }),
        fc.boolean(),
        (status, columns, rows, isColoured) => {
          const footer = ['p pause   r resume   m promote   a abort   q quit, it goes on'];
          const lines = renderStatus(status, { columns, rows, now, style: isColoured ? coloured : style, footer });
          assert.ok(lines.length <= rows, `${lines.length} lines for ${rows} rows`);
          for (const line of lines) assert.ok(widthOf(line) <= columns, `${widthOf(line)} > ${columns}: ${line}`);
        },
      ),
    );
  });

  it('leaves nothing out at 60 columns', () => {
    const text = picture(wired(), 60);
    assert.doesNotMatch(text.split('\nsteps')[0] ?? '', /…/);
  });
});
