import { setTimeout as delay } from 'node:timers/promises';
import type { RouteId, TcpTarget } from '../../traffic/index.ts';
import { isBackground } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import type { StepRecord } from '../execute/journal.ts';
import { targetsOf, targetsOfShares } from '../execute/tcp-targets.ts';
import { containerPortOf } from '../plan/plan.ts';
import { sideOf } from '../plan/routes.ts';
import type { Standing } from '../plan/standing.ts';
import { isWithdrawn } from './refresh-traffic.ts';
import type { StepOf, TcpShare, TcpSide } from '../plan/step.ts';

const POLL_MS = 50;

/**
 * While a rollout runs, which moves TCP routes itself: they lead where it has last led them, at the addresses that the
 * instances have now.
 */
export async function followTcp(parts: Parts, project: string): Promise<void> {
  const { journal, locks, stopping, traffic } = parts;
  while (!stopping.aborted) {
    const running = locks.running(project);
    if (running === undefined || isBackground(running.kind)) return;
    const look = (): readonly Word[] => wordsOf(journal.standing(project), journal.steps(project, running.rollout));
    const words = look();
    if (words.length === 0) return;
    const found = await Promise.all(words.map(async (word) => [word.route, await resolved(parts, word)] as const));
    // From here to the writes there is no pause: what the rollout says next comes behind them.
    if (isSame(words, look()) && words.every(({ isSaid }) => isSaid)) {
      const reached = found.filter(([, targets]) => targets.length > 0);
      return void (await Promise.all(reached.map(([route, targets]) => traffic.setTcpRoute(route, targets))));
    }
    await delay(POLL_MS, undefined, { signal: stopping, ref: false }).catch(() => {});
  }
}

/** The last that was said of a route. */
interface Word {
  readonly route: RouteId;
  readonly port: number;
  readonly to: TcpSide | readonly TcpShare[];
  /** By this step; undefined: it is as it was when the rollout began. */
  readonly seq?: number;
  /** False: it is being said. */
  readonly isSaid: boolean;
}

type TcpStep = StepRecord & { readonly step: StepOf<'switch-tcp' | 'set-tcp-weights'> };

/** One for each TCP or UDP route of the release that serves. */
export function wordsOf(standing: Standing, steps: readonly StepRecord[]): readonly Word[] {
  const routes = new Set(standing.ports.filter(({ protocol }) => protocol !== 'http').map(({ route }) => route));
  return [...routes].flatMap((route): readonly Word[] => {
    const last = steps.filter((each) => isTcp(each)).findLast(({ step }) => step.route === route);
    const to = last === undefined ? before(standing, route) : last.step.to;
    const said = last === undefined ? { isSaid: true } : { seq: last.seq, isSaid: last.outcome !== 'running' };
    return to === undefined ? [] : [{ route, port: containerPortOf(route), to, ...said }];
  });
}

function isTcp(each: StepRecord): each is TcpStep {
  const { step, outcome } = each;
  return (step.kind === 'switch-tcp' || step.kind === 'set-tcp-weights') && outcome !== 'pending';
}

/** `<project>/<service>/<port>` */
function before({ current }: Standing, route: RouteId): TcpSide | undefined {
  const set = current?.sets.find(({ service }) => service === route.split('/')[1]);
  return set === undefined ? undefined : sideOf(set);
}

function isSame(words: readonly Word[], now: readonly Word[]): boolean {
  return words.length === now.length && words.every(({ seq }, index) => seq === now[index]?.seq);
}

/** Those that a person took out of traffic stay out. */
async function resolved(parts: Parts, { to, port }: Word): Promise<readonly TcpTarget[]> {
  const inspect = async (name: string) => {
    const seen = await parts.fleet.inspect(name);
    return isWithdrawn(parts, seen) ? undefined : seen;
  };
  return 'instances' in to ? await targetsOf({ inspect }, to, port) : await targetsOfShares({ inspect }, to, port);
}
