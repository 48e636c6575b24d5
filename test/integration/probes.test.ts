import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ProbeTarget, startProbes } from '../../src/delivery/rollout/ledger/probes/index.ts';
import { startBackend } from '../support/backend.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait.ts';

/** The built-in probes against a real application. */

const KINDS = { get: '/', post: '/upload', sse: '/events', websocket: '/socket' } as const;

function targetsAt(port: number, kinds: Partial<typeof KINDS> = KINDS): readonly ProbeTarget[] {
  return Object.entries(kinds).map(([kind, path]) => ({
    kind: kind as keyof typeof KINDS,
    service: 'web',
    url: `http://localhost:${port}${path}`,
    address: '127.0.0.1',
    port,
    path,
    isTls: false,
    intervalMs: 50,
  }));
}

const start = (targets: readonly ProbeTarget[], isDrainDeadline = false, before = []) =>
  startProbes({ targets, before, token: 'token', nowMs: () => Date.now(), isDrainDeadline: () => isDrainDeadline });

describe('built-in probes', () => {
  it('count answers, events and pongs, and nothing lost', async () => {
    await using backend = await startBackend('1', '127.0.0.1');
    const probes = start(targetsAt(backend.port));
    const of = (kind: string) => probes.reports().find((report) => report.kind === kind)!;
    await waitFor(
      () =>
        of('post').answered > 0 && of('websocket').answered > 1 && of('get').answered > 10 && of('sse').messages > 10,
      { timeoutMs: 20_000, what: 'answers of all kinds' },
    );
    await probes.stop();
    for (const report of probes.reports())
      assert.deepEqual(Object.values(report.failed), [0, 0, 0, 0, 0, 0], JSON.stringify(report));
    assert.equal(of('get').sent, of('get').answered);
    assert.equal(of('sse').answered, 1);
    const before = probes.reports();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(probes.reports(), before, 'nothing is sent any more');
  });

  for (const [at, isDrain] of [
    ['any moment', false],
    ['the drain deadline', true],
  ] as const)
    it(`tell how a connection ended that was cut at ${at}`, async () => {
      const backend = await startBackend('1', '127.0.0.1');
      const probes = start(targetsAt(backend.port, { sse: '/events', websocket: '/socket', get: '/' }), isDrain);
      const of = (kind: string) => probes.reports().find((report) => report.kind === kind)!;
      await waitFor(() => of('sse').messages > 2 && of('websocket').answered > 0, { timeoutMs: 10_000, what: 'both' });
      await backend.kill();
      await waitFor(
        () => of('get').failed.refused > 0 && of('websocket').failed.refused > 0 && of('sse').failed.refused > 0,
        {
          timeoutMs: 10_000,
          what: 'refused connections',
        },
      );
      await probes.stop();
      for (const kind of ['sse', 'websocket']) {
        const { failed, ended } = of(kind);
        assert.deepEqual([failed.truncated, ended.atDrainDeadline], isDrain ? [0, 1] : [1, 0], kind);
      }
    });

  it('take any answer of the application for one, and tell its 5xx from lost requests', async () => {
    await using backend = await startBackend('1', '127.0.0.1');
    const probes = start([
      ...targetsAt(backend.port, { get: '/fail' } as never),
      ...targetsAt(backend.port, { sse: '/' } as never),
    ]);
    const [get, sse] = [() => probes.reports()[0]!, () => probes.reports()[1]!];
    await waitFor(() => get().failed['app-error'] > 2 && sse().answered > 0, { timeoutMs: 5_000, what: 'answers' });
    await probes.stop();
    assert.equal(
      Object.values(get().failed).reduce((sum, each) => sum + each, 0),
      get().failed['app-error'],
    );
    assert.deepEqual(Object.keys(get().statuses), ['500']);
    assert.equal(sse().failed.truncated, 0);
  });

  it('go on from what they had counted', async () => {
    const port = await freePort();
    const first = start(targetsAt(port, { get: '/' } as never));
    await waitFor(() => first.reports()[0]!.failed.refused > 2, { timeoutMs: 5_000, what: 'refused' });
    await first.stop();
    const counted = first.reports()[0]!;
    const second = startProbes({
      token: 'token',
      targets: targetsAt(port, { get: '/' } as never),
      before: first.reports(),
      nowMs: () => Date.now(),
      isDrainDeadline: () => false,
    });
    await waitFor(() => second.reports()[0]!.failed.refused > counted.failed.refused, {
      timeoutMs: 5_000,
      what: 'more',
    });
    await second.stop();
    assert.equal(second.reports().length, 1);
    assert.ok(second.reports()[0]!.examples.length <= 10);
  });
});
