import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { canaryStatus } from '../../test/support/rollout-status.ts';
import type { Delivery, RolloutOutcome } from '../delivery/rollout/index.ts';
import { UserError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import { createClient, type Client, type Onlooker } from './client/index.ts';
import type { EngineClient } from './engine-client.ts';
import { createServer } from './server.ts';

const OUTCOME: RolloutOutcome = { project: 'shop', kind: 'deploy', result: 'switched', durationMs: 1, ports: [] };
const ONLOOKER: Onlooker = { onEvent: () => {}, signal: new AbortController().signal };
const PLAN = { project: 'shop', kind: 'rollback', unchanged: true, steps: [], warnings: [] } as const;

/** A server over a delivery wing of which only the parts in question are there. */
async function serve(
  delivery: Partial<Delivery>,
  look: (client: Client) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'bascule-server-'));
  const server = await createServer({
    delivery: delivery as Delivery,
    engine: {} as EngineClient,
    info: { version: '0', pid: 1, root: directory, engine: 'embedded', engineSocket: '' },
    log: silentLog,
    check: async () => [],
    certificates: () => [],
    requireEngine: async () => {},
    purge: async () => {},
  });
  try {
    await server.listen(join(directory, 'api.sock'));
    await look(createClient(join(directory, 'api.sock'), signal));
  } finally {
    await server.close();
    rmSync(directory, { recursive: true });
  }
}

describe('rollouts over the API', () => {
  it('hand on what is asked for, without what is not', async () => {
    const asked: unknown[] = [];
    const amend = async (request: unknown): Promise<RolloutOutcome> => (asked.push(request), OUTCOME);
    const plan = async (request: unknown): Promise<typeof PLAN> => (asked.push(request), PLAN);
    await serve({ amend, planAmend: plan, planRollback: plan }, async (client) => {
      await client.amend('shop', { author: 'ana', images: { web: 'shop:2' }, strategy: 'canary' }, ONLOOKER);
      await client.planAmend('shop', { author: 'ana', replicas: { web: 0 } });
      await client.planRollback('shop', { author: 'ana' });
    });
    assert.deepEqual(asked, [
      { project: 'shop', author: 'ana', images: { web: 'shop:2' }, strategy: 'canary' },
      { project: 'shop', author: 'ana', replicas: { web: 0 } },
      { project: 'shop', author: 'ana' },
    ]);
  });

  it('are steered, and what cannot be steered says so', async () => {
    const asked: unknown[] = [];
    const control: Delivery['control'] = (request) => {
      asked.push(request.action);
      if (request.action.kind !== 'abort') return canaryStatus();
      throw new UserError({ code: 'no-rollout', kind: 'conflict', message: 'none runs', fix: 'x' });
    };
    await serve({ control }, async (client) => {
      const status = await client.control('shop', { author: 'ana', action: { kind: 'weight', weight: 2_500 } });
      assert.equal(status.startedAt, canaryStatus().startedAt.toISOString());
      await assert.rejects(client.control('shop', { author: 'ana', action: { kind: 'abort' } }), {
        code: 'no-rollout',
      });
      const tooMuch = { kind: 'weight', weight: 10_001 } as const;
      await assert.rejects(client.control('shop', { author: 'ana', action: tooMuch }), { code: 'invalid-request' });
    });
    assert.deepEqual(asked, [{ kind: 'weight', weight: 2_500 }, { kind: 'abort' }]);
  });

  it('are watched until they end', async () => {
    const watchRollout: Delivery['watchRollout'] = async function* () {
      yield canaryStatus();
      yield canaryStatus({ state: 'ended', result: 'switched' });
    };
    await serve({ status: async () => canaryStatus(), watchRollout }, async (client) => {
      const seen = await Array.fromAsync(client.watchRollout('shop', new AbortController().signal));
      assert.deepEqual(
        seen.map(({ state, result }) => [state, result]),
        [
          ['running', undefined],
          ['ended', 'switched'],
        ],
      );
    });
  });

  it('are watched no longer when the one who watches leaves', async () => {
    const ended = Promise.withResolvers<void>();
    const watchRollout: Delivery['watchRollout'] = async function* (_project, signal) {
      yield canaryStatus();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended.resolve();
    };
    await serve({ status: async () => canaryStatus(), watchRollout }, async (client) => {
      const leaving = new AbortController();
      for await (const _status of client.watchRollout('shop', leaving.signal)) leaving.abort();
      await ended.promise;
    });
  });

  it('that are not there are an error before the first line', async () => {
    const status = async (): Promise<never> => {
      throw new UserError({ code: 'project-not-found', kind: 'not-found', message: 'no shop', fix: 'x' });
    };
    await serve({ status }, async (client) => {
      const lines = client.watchRollout('shop', new AbortController().signal);
      await assert.rejects(Array.fromAsync(lines), { code: 'project-not-found', kind: 'not-found' });
    });
  });

  it('go on when the one who began them looks on no longer', async () => {
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const { promise: ended, resolve: end } = Promise.withResolvers<boolean>();
    const rollback: Delivery['rollback'] = async (_request, { onProgress, signal }) => {
      onProgress({ type: 'warning', message: 'begun' });
      await left;
      end(signal.aborted);
      return OUTCOME;
    };
    await serve({ rollback }, async (client) => {
      const looking = new AbortController();
      const onEvent = (): void => looking.abort();
      await assert.rejects(client.rollback('shop', { author: 'ana' }, { onEvent, signal: looking.signal }));
      leave();
      assert.equal(await ended, false, 'leaving does not cancel');
    });
  });

  it('take single instances out of traffic, and compare releases', async () => {
    const asked: unknown[] = [];
    const setInstanceTraffic = async (request: unknown) => (asked.push(request), {}) as never;
    const diff: Delivery['diff'] = async (project, from, to) => ({ project, from, to, changes: [] });
    await serve({ setInstanceTraffic, diff }, async (client) => {
      await client.setInstanceTraffic('shop', { instance: 'shop-web-r1-1', direction: 'out', author: 'ana' });
      assert.deepEqual(await client.diff('shop', 1, 2), { project: 'shop', from: 1, to: 2, changes: [] });
    });
    assert.deepEqual(asked, [{ project: 'shop', instance: 'shop-web-r1-1', direction: 'out', author: 'ana' }]);
  });
});
