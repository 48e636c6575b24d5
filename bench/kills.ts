import { assertWhole, deployAndKillAt, settled, type Victim } from '../test/support/kill.ts';
import { startLoad } from '../test/support/load.ts';
import { freePort, openMachine } from '../test/support/machine.ts';
import { webProject } from '../test/support/web-project.ts';
import type { Result, Series } from './result.ts';

const SERVICES = ['db', 'web', 'web', 'worker'];
const VICTIMS: readonly Victim[] = ['daemon', 'haproxy', 'conmon', 'instance'];

/**
 * SIGKILL of each victim at the start of each step of a deployment, so many times. A mixed end state throws.
 * @param rounds how often each victim is killed at each step
 */
export async function measureKills(rounds: number): Promise<Result> {
  // Side by side, each on a root of its own: most of the time they wait.
  const found = await Promise.all(VICTIMS.map(async (victim) => ({ victim, ...(await killAll(victim, rounds)) })));
  const series = found.map(({ victim, lost }): Series => ({
    name: `SIGKILL of ${victim}: requests lost by one kill`,
    unit: 'count',
    samples: lost,
  }));
  const notes = found.map(({ victim, kills, lost, requests }) => {
    const total = lost.reduce((sum, each) => sum + each, 0);
    return `${victim}: ${kills} kills, no mixed end state, ${requests} requests at 100 a second, ${total} lost.`;
  });
  return { name: 'kills', title: `SIGKILL at each step of a deployment, ${rounds} times`, series, ratios: [], notes };
}

async function killAll(
  victim: Victim,
  rounds: number,
): Promise<{ readonly kills: number; readonly lost: readonly number[]; readonly requests: number }> {
  await using machine = await openMachine();
  const port = await freePort();
  let version = 0;
  const write = (): void => machine.write(webProject({ port, version: `v${version++}`, checkedEvery: '5s' }));
  write();
  await machine.must(['up']);
  await using load = await startLoad({
    url: `http://127.0.0.1:${port}/`,
    connections: 4,
    ratePerSecond: 100,
    newConnectionShare: 0.5,
    maxDurationMs: 7_200_000,
  });
  const lost: number[] = [];
  let before = 0;
  for (let round = 0; round < rounds; round++) {
    for (let step = 0; ; step++) {
      write();
      const title = await deployAndKillAt(machine, step, victim);
      if (title === undefined) break;
      await settled(machine, SERVICES);
      await assertWhole(machine, { port, services: SERVICES, stateful: 'db', when: `${victim} at "${title}"` });
      const now = (await load.snapshot()).lost;
      lost.push(now - before);
      before = now;
    }
  }
  return { kills: lost.length, lost, requests: (await load.stop()).requests };
}
