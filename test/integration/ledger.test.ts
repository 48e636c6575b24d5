import assert from 'node:assert/strict';
import { get } from 'node:http';
import { describe, it } from 'node:test';
import type { Ledger } from '../../src/delivery/rollout/index.ts';
import { type DeliveryScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { renderLedgerPage } from '../../src/cli/ledger-page/page.ts';
import { shop, underLoad } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** What the ledger says is what a load generator of its own has counted, over real engines and a real HAProxy. */

const SECRET = 'do-not-tell-anybody';
const PROBED = `    x-bascule: {probe: {post: /cgi-bin/take, sse: /cgi-bin/events}}
    secrets: [word]`;
const SECRETS = 'secrets: {word: {environment: WORD}}';

/** Also takes bodies, streams events, and gives the first half of an answer; `slowly` starts three seconds later. */
function serve(slowly: boolean): string {
  const script = (name: string, text: string): string =>
    `printf '#!/bin/sh\\n${text}' > /tmp/w/cgi-bin/${name} && chmod +x /tmp/w/cgi-bin/${name}`;
  return [
    slowly ? 'sleep 3' : 'true',
    'mkdir -p /tmp/w/cgi-bin',
    'echo version=$V > /tmp/w/index.html',
    script('take', 'cat >/dev/null; echo Content-Length: 3; echo; echo ok\\n'),
    script('events', 'echo Content-Type: text/event-stream; echo; while sleep 0.2; do echo data: 1; echo; done\\n'),
    script('half', 'echo Content-Length: 100; echo; echo half; exec sleep 60\\n'),
    'exec httpd -f -p 8000 -h /tmp/w',
  ].join(' && ');
}

/** Its servers may take their time to start. */
function patient(shopText: string): string {
  return shopText.replace('retries: 4', 'retries: 4\n      start_period: 10s');
}

for (const engine of await enginesUnderTest()) {
  describe(`ledger over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
    let scene: DeliveryScene;

    sceneForEach(engine, (opened) => {
      scene = opened;
    });

    const hasBegun = (rollout: number): Promise<unknown> =>
      waitFor(
        () =>
          scene.events.some((event) => event.type === 'step-started') &&
          scene.events.some((event) => event.type === 'planned' && event.rollout === rollout),
        {
          timeoutMs: 10_000,
          what: 'the first step',
        },
      );

    it('counts the requests of a deploy as they were sent, and probes the front door meanwhile', async () => {
      const port = await freePort();
      const file = (version: string): string =>
        patient(shop({ name: 'count', port, version, web: PROBED, more: SECRETS, command: serve(version === '2') }));
      const environment = { WORD: SECRET };
      await scene.deploy(file('1'), { environment });
      scene.events.length = 0;
      const deploying = scene.deploy(file('2'), { sourceRevision: 'abc123', environment });
      await hasBegun(2);
      await using load = await underLoad(port);
      const outcome = await deploying;
      const isSeen = async (): Promise<boolean> => ((await load.snapshot()).versions['2'] ?? 0) > 0;
      await waitFor(isSeen, { timeoutMs: 10_000, what: 'an answer of the new release' });
      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      assert.equal(outcome.totals?.lost, 0);

      let ledger: Ledger = await scene.delivery.ledger('count', 2);
      const seen = (): number => ledger.sides.reduce((sum, { requests }) => sum + requests, 0);
      await waitFor(
        async () => {
          ledger = await scene.delivery.ledger('count', 2);
          return (
            seen() >= report.requests && ledger.probes.some(({ kind, answered }) => kind === 'post' && answered > 0)
          );
        },
        { timeoutMs: 15_000, what: `${report.requests} requests in the ledger, which has ${seen()}` },
      );
      const of = (side: string) => ledger.sides.find((each) => each.side === side);
      assert.equal(of('stable')?.requests, report.versions['1']);
      assert.equal(of('candidate')?.requests, report.versions['2']);
      assert.equal(seen(), report.requests);
      assert.deepEqual([ledger.totals.lost, ledger.totals.appErrors, ledger.doubts], [0, 0, []]);
      assert.equal(ledger.revision, 'abc123');
      const latency = of('stable')?.latencyMs;
      assert.ok(latency !== undefined && latency.p50 > 0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
      const points = ledger.series?.points ?? [];
      const sum = points.reduce(
        (total, { stable, candidate }) => total + (stable?.requests ?? 0) + (candidate?.requests ?? 0),
        0,
      );
      assert.equal(sum, report.requests, 'the series sums up to all');

      const probes = new Map(ledger.probes.map((probe) => [probe.kind, probe]));
      assert.deepEqual([...probes.keys()].toSorted(), ['get', 'post', 'sse']);
      for (const { lost, kind, examples } of ledger.probes)
        assert.equal(lost, 0, `${kind}: ${JSON.stringify(examples)}`);
      assert.ok((probes.get('get')?.answered ?? 0) >= 5, JSON.stringify(probes.get('get')));
      assert.ok((probes.get('get')?.longestGapMs ?? Infinity) < 3_000);
      assert.ok((probes.get('sse')?.messages ?? 0) >= 5, JSON.stringify(probes.get('sse')));

      const text = JSON.stringify(ledger);
      const page = renderLedgerPage(JSON.parse(text) as Parameters<typeof renderLedgerPage>[0]);
      assert.match(page, /no request was lost/);
      assert.ok(!page.includes(SECRET) && !text.includes(SECRET));
    });

    it('tells a request that is cut within its answer, by its kind', async () => {
      const port = await freePort();
      const file = (version: string): string =>
        patient(shop({ name: 'cut', port, version, command: serve(version === '2') }));
      await scene.deploy(file('1'));
      scene.events.length = 0;
      const deploying = scene.deploy(file('2'));
      await hasBegun(2);
      const ends = [cutRequest(port), cutRequest(port)];
      await Promise.all(ends.map(({ begun }) => begun));
      for (const { name } of (await scene.delivery.ps('cut')).instances)
        if (name.includes('-r1-')) await scene.fleet.removeInstance(name);
      assert.deepEqual(await Promise.all(ends.map(({ ended }) => ended)), ['cut', 'cut']);
      await deploying.catch(() => {});
      let ledger: Ledger | undefined;
      await waitFor(
        async () => {
          ledger = await scene.delivery.ledger('cut', 2);
          return (ledger.sides.find(({ side }) => side === 'stable')?.losses.truncated ?? 0) > 0;
        },
        { timeoutMs: 10_000, what: 'the loss in the ledger' },
      );
      const stable = ledger?.sides.find(({ side }) => side === 'stable');
      assert.equal(stable?.losses.truncated, 2, JSON.stringify(ledger?.sides));
      assert.ok((ledger?.totals.lost ?? 0) >= 2);
    });
  });
}

/** A request of which half the answer comes. */
function cutRequest(port: number): { readonly begun: Promise<void>; readonly ended: Promise<string> } {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  get(`http://127.0.0.1:${port}/cgi-bin/half`, { agent: false }, (response) => {
    response.once('data', () => begin());
    response.on('error', () => end('cut'));
    response.on('end', () => end('whole'));
  }).on('error', () => end('cut'));
  return { begun, ended };
}
