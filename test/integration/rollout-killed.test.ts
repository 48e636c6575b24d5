import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openScene } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { DATABASE, shop, starts, textAt, underLoad } from '../support/rollout-shop.ts';

/** A daemon's process that is really killed, over real engines. Every single call is tried in killed-in-memory.test.ts. */

for (const engine of await enginesUnderTest()) {
  describe(
    `a daemon that is killed in the middle of a deployment over ${engine.name}`,
    { skip: engine.skip, timeout: 540_000 },
    () => {
      let running: Awaited<ReturnType<typeof engine.open>>;

      before(async () => {
        running = await engine.open();
      });
      after(async () => {
        await running[Symbol.asyncDispose]();
      });

      it('brings all services to the same release after a SIGKILL at every step, and loses nothing', async () => {
        const { socketPath } = running;
        const root = mkdtempSync(join(tmpdir(), 'bascule-kill-'));
        const port = await freePort();
        const file = (version: number): string =>
          shop({ name: 'kill', port, version: String(version), settings: ', keep: 0s', more: DATABASE('one') });
        let version = 1;
        {
          const scene = await openScene({ socketPath, root });
          await scene.deploy(file(version));
          await scene.delivery.close();
          await scene.traffic.close();
        }
        await using load = await underLoad(port);
        for (let killAt = 0, killed = true; killed; killAt++) {
          version += 1;
          const composeFile = join(root, 'next.yaml');
          writeFileSync(composeFile, file(version));
          killed = await deployAndDie({ socketPath, root, composeFile, killAt });
          const scene = await openScene({ socketPath, root });
          await scene.delivery.resume();
          await scene.delivery.settled();
          const { release, instances } = await scene.delivery.ps('kill');
          assert.equal(await textAt(port), `version=${version}`, `killed at step ${killAt}: release ${release} serves`);
          assert.ok(!instances.some(({ role }) => role === 'candidate'), 'nothing is left over');
          if (killed) {
            await scene.delivery.close();
            await scene.traffic.close();
            continue;
          }
          const report = await load.stop();
          assert.equal(report.lost, 0, JSON.stringify(report.examples));
          assert.deepEqual(await starts(scene, 'kill'), ['one'], 'the database never stopped');
          await scene[Symbol.asyncDispose]();
        }
      });
    },
  );
}

async function deployAndDie(given: Readonly<Record<string, unknown>>): Promise<boolean> {
  const program = fileURLToPath(new URL('../support/delivery-process.ts', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, DELIVERY: JSON.stringify(given) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.ok(code === 0 || signal === 'SIGKILL', `ended with ${code ?? signal}`);
  return signal === 'SIGKILL';
}
