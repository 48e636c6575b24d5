import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { createDelivery } from '../../src/delivery/rollout/delivery.ts';
import type { Delivery } from '../../src/delivery/rollout/face.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';
import { projectOf, requestOf } from '../support/delivery-scene.ts';
import { MemoryWorld } from '../support/memory-world.ts';
import { waitFor } from '../support/wait.ts';

/** What a rollout leaves in memory, counted: objects that are still reachable, not bytes. */

const yaml = (version: number): string => `
name: shop
x-bascule: {keep: 1ms, drain: 1ms}
services:
  web:
    image: web:${version}
    ports: ["8080:80"]
    deploy: {replicas: 2}
    depends_on: {api: {condition: service_healthy}}
  api: {image: "api:1"}
`;

const watch = { onProgress: () => {}, signal: new AbortController().signal };

/** Of all that a forgotten rollout, request, listener or timer would hold. */
const KINDS: Readonly<Record<string, new (...given: never[]) => object>> = {
  AbortController,
  AbortSignal,
  Map,
  Set,
  Promise,
};

function count(): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(KINDS).map(([name, kind]) => [name, Number(queryObjects(kind as never, { format: 'count' }))]),
  );
}

async function rolloutsOf(delivery: Delivery, from: number, to: number): Promise<void> {
  for (let version = from; version <= to; version++) {
    await delivery.deploy(requestOf(projectOf(yaml(version), '/nowhere')), watch);
    await delivery.rollback({ project: 'shop', author: 'test', release: version - 1 }, watch);
    await delivery.rollback({ project: 'shop', author: 'test', release: version }, watch);
  }
  await delivery.settled();
}

/** Each of them is a deployment and two rollbacks. */
const MORE = 10;

/** Undefined where a kind has grown by one for each deployment, or by more. */
function few(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): string | undefined {
  const more = Object.keys(KINDS).map((name) => [name, after[name]! - before[name]!] as const);
  const words = more.map(([name, by]) => `${name} ${by}`).join(', ');
  if (more.every(([, by]) => by < MORE)) return words;
  console.log(`too many: ${words}`);
  return undefined;
}

describe('the memory of a daemon', { timeout: 540_000 }, () => {
  it('holds no more after more rollouts: no kind of object piles up', async () => {
    const root = mkdtempSync(join(tmpdir(), 'bascule-memory-'));
    const database = openDatabase(':memory:');
    let aheadMs = 0;
    const delivery = createDelivery({
      ...{ database, directory: root, ...new MemoryWorld().life(), log: silentLog },
      // Each look at the clock is a second later: what is to retire does.
      now: () => new Date(Date.now() + (aheadMs += 1_000)),
      probe: { listens: async () => true, httpStatus: async () => 200 },
      startProbes: () => ({ reports: () => [], stop: async () => {} }),
    });
    await delivery.deploy(requestOf(projectOf(yaml(1), '/nowhere')), watch);
    await rolloutsOf(delivery, 2, 4);
    await setImmediate();
    const before = count();
    await rolloutsOf(delivery, 5, 4 + MORE);
    await setImmediate();
    // What weak references have named goes with the next turn of the loop.
    const kept = await waitFor(() => few(before, count()), {
      timeoutMs: 30_000,
      intervalMs: 200,
      what: 'no kind of object piles up',
    });
    await delivery.close();
    database.close();
    rmSync(root, { recursive: true });
    console.log(kept);
  });
});
