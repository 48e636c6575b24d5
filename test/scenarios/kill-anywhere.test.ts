import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertWhole, deployAndKillAt, settled, type Victim } from '../support/kill.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { openMachine } from '../support/machine.ts';
import { webProject } from '../support/web-project.ts';

const SERVICES = ['db', 'web', 'web', 'worker'];

/**
 * Every how many steps: the daemon dies at each of them; the others, which take no part in the journal, at some
 * (`bench kills` does all, many times).
 */
const STRIDES: Readonly<Record<Victim, number>> = { daemon: 1, haproxy: 12, conmon: 12, instance: 12 };

/** What may be lost: nothing with the daemon; with the others what they held at that moment, each time. */
const LOSSES: Readonly<Record<Victim, number>> = { daemon: 0, haproxy: 200, conmon: 8, instance: 8 };

for (const victim of Object.keys(STRIDES) as Victim[]) {
  describe(
    `SIGKILL of ${victim === 'instance' ? 'an instance' : victim} at steps of the journal`,
    { timeout: 900_000 },
    () => {
      it('never leaves a mixed state, and loses only what was itself killed', async () => {
        await using machine = await openMachine();
        const port = await freePort();
        machine.write(webProject({ port, version: 'v0' }));
        await machine.must(['up']);
        await using load = await startLoad({
          url: `http://127.0.0.1:${port}/`,
          connections: 4,
          ratePerSecond: 100,
          newConnectionShare: 0.5,
          maxDurationMs: 900_000,
        });
        const killedAt: string[] = [];
        for (let step = 0; ; step += STRIDES[victim]) {
          machine.write(webProject({ port, version: `v${step + 1}` }));
          const title = await deployAndKillAt(machine, step, victim);
          if (title === undefined) break; // the rollout has no such step: it ended by itself
          killedAt.push(title);
          await settled(machine, SERVICES, port);
          await assertWhole(machine, { port, services: SERVICES, stateful: 'db', when: `killed at "${title}"` });
        }
        const report = await load.stop();
        assert.ok(
          killedAt.length >= Math.floor(10 / STRIDES[victim]),
          `only ${killedAt.length} steps: ${killedAt.join(', ')}`,
        );
        assert.ok(report.lost <= killedAt.length * LOSSES[victim], JSON.stringify([report.lost, report.examples]));
        console.log(`${victim}: killed at ${killedAt.length} steps, ${report.requests} requests, ${report.lost} lost`);
      });
    },
  );
}
