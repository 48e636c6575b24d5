import { isAlive, type Plan, step } from '../plan.ts';
import { smokeTests } from '../checks.ts';
import { type Draft, type Waves } from '../draft.ts';
import { planOf } from '../finish.ts';
import { discardWaves, leaveWaves } from '../leave.ts';
import { createWaves } from '../prepare.ts';
import { changesWhere, isAdded, type RouteChanges, sideOf } from '../routes.ts';
import type { PlacedSet, Portion } from '../sets.ts';
import { laneSteps, laterChanges, portionsOf, settleWaves, standUpWaves, tipOverWaves } from '../stages.ts';
import { startWaves } from '../start.ts';
import { Balance, type Sides } from '../weights.ts';
import { type SetRecord, setKey } from '../standing.ts';
import type { Step } from '../step.ts';
import { type Move, roundsOf } from './rolling-rounds.ts';
import { type RollSettings, rollSettings } from './rolling-settings.ts';

/**
 * Rolling: batch by batch new instances come beside the old ones, take their part of the traffic, and as many old ones
 * leave: out of traffic first, then stopped. Nothing stays warm. All services advance together, and the new release is
 * the one that serves only at the end; until then everything can be taken back.
 * undefined: there is nothing to replace in batches.
 */
export function planRolling(draft: Draft): Plan | undefined {
  const rolled = rolledServices(draft);
  if (rolled.length === 0) return undefined;
  const rolling = new Rolling(draft, rolled);
  const rest = changesWhere(laterChanges(draft), (change) => isAdded(change) || !rolling.isRolled(change.service));
  return planOf(draft, 'rolling', [
    ...rolling.waves(),
    ...tipOverWaves(draft, rest, rolling.promotion()),
    ...settleWaves(draft, new Set(rolled.map(({ before }) => setKey(before)))),
    ...discardWaves(
      draft,
      rolled.map(({ before }) => before),
    ),
  ]);
}

/** A service that is replaced in batches. */
interface Rolled {
  readonly set: PlacedSet;
  readonly before: SetRecord;
  readonly settings: RollSettings;
  /** What lives of the old set. */
  readonly old: readonly string[];
}

/** In the order in which they need each other. What has no counterpart that lives is switched as a whole. */
function rolledServices(draft: Draft): readonly Rolled[] {
  const { scene, placed } = draft;
  const rolled = new Map(
    placed.flatMap((set) => {
      const before = scene.currentBy.get(set.record.service);
      if (before === undefined || !canRoll(draft, set, before)) return [];
      const old = before.instances.filter((name) => isAlive(scene.instances.get(name), before.mayExit));
      if (old.length === 0) return [];
      return [[set.record.service, { set, before, old, settings: settingsOf(draft, set) }] as const];
    }),
  );
  return scene
    .levelsOf(new Set(rolled.keys()))
    .flat()
    .map((name) => rolled.get(name)!);
}

/** Both sets stand behind the same routes, and may run side by side. */
function canRoll({ scene, predecessors }: Draft, { record, fresh, starting }: PlacedSet, before: SetRecord): boolean {
  const { service, stateful, job } = record;
  if (!fresh || stateful || job || before.stateful || starting.length === 0 || predecessors.has(service)) return false;
  const own = `${scene.target.project}/${service}/`;
  const declared = new Set((scene.portsBy.get(service) ?? []).map(({ route }) => route));
  return (scene.publishedBy.get(service) ?? []).every(({ route, protocol }) => {
    const stable = scene.observed.traffic.routes.get(route)?.stable;
    return declared.has(route) && (protocol !== 'http' || stable === before.lanes[route.slice(own.length)]);
  });
}

function settingsOf({ scene }: Draft, { record, starting }: PlacedSet): RollSettings {
  const { deploy } = scene.target.model.services[record.service]!;
  const config = (scene.kind === 'rollback' ? deploy?.rollback_config : deploy?.update_config) ?? {};
  const { rolling } = scene.target.model.settings;
  return rollSettings({ kind: scene.kind, replicas: starting.length, config, rolling });
}

/** Where a service stands between two batches. */
interface Standpoint extends Rolled {
  /** Old instances that are still there. */
  left: readonly string[];
  /** New instances that are there already. */
  come: number;
}

class Rolling {
  readonly #draft: Draft;
  /** In the order in which they need each other. */
  readonly #points: ReadonlyMap<string, Standpoint>;
  readonly #balance: Balance;

  constructor(draft: Draft, rolled: readonly Rolled[]) {
    this.#draft = draft;
    this.#points = new Map(rolled.map((each) => [each.set.record.service, { ...each, left: each.old, come: 0 }]));
    this.#balance = new Balance(this.#changes(), draft.scene.target.model.settings.drainMs);
  }

  isRolled(service: string): boolean {
    return this.#points.has(service);
  }

  #changes(): RouteChanges {
    return changesWhere(laterChanges(this.#draft), (change) => !isAdded(change) && this.isRolled(change.service));
  }

  waves(): Waves {
    const rounds = roundsOf([...this.#points.values()].map((point) => this.#rollOf(point)));
    return rounds.flatMap((moves, index) =>
      this.#round(moves, { isFirst: index === 0, isLast: index === rounds.length - 1 }),
    );
  }

  /** From now on the new lanes are the ones that serve. */
  promotion(): readonly Step[] {
    return this.#balance.promotion('all batches have come');
  }

  #rollOf({ set, old, settings }: Standpoint) {
    const { service } = set.record;
    const { portsBy } = this.#draft.scene;
    const usedBy = this.#usersOf(service);
    const isUsed = usedBy.length > 0 || (portsBy.get(service) ?? []).length > 0;
    return { service, old: old.length, replicas: set.starting.length, ...settings, isUsed, usedBy };
  }

  /** Services that roll too and need this one; those that need them keep them. */
  #usersOf(service: string): readonly string[] {
    const users = new Set<string>();
    const add = (name: string): void => {
      for (const other of this.#draft.scene.neededFor.get(name) ?? []) {
        if (users.has(other)) continue;
        users.add(other);
        if (!this.isRolled(other)) add(other);
      }
    };
    add(service);
    return [...users].filter((name) => this.isRolled(name));
  }

  #round(moves: readonly Move[], o: { readonly isFirst: boolean; readonly isLast: boolean }): Waves {
    const weights = this.#weigh('old instances make room', moves, ({ before }) => before);
    const makingRoom = [weights, ...this.#leave(moves, ({ before }) => before)];
    const batches = moves.flatMap((move) => this.#batch(move));
    return [
      ...(o.isFirst ? this.#firstStart(batches, makingRoom) : this.#start(batches, makingRoom)),
      this.#weigh('the next batch is healthy', moves, ({ after }) => after),
      this.#monitor(batches),
      ...this.#leave(moves, ({ after }) => after),
      o.isLast ? [] : this.#delay(moves),
    ];
  }

  /** Together with everything that is not replaced in batches. */
  #firstStart(batches: readonly Portion[], makingRoom: Waves): Waves {
    const whole = portionsOf(this.#draft).filter(({ set }) => !this.isRolled(set.record.service));
    return standUpWaves(this.#draft, [...whole, ...batches], makingRoom);
  }

  #start(batches: readonly Portion[], makingRoom: Waves): Waves {
    const draft = this.#draft;
    return [
      ...makingRoom,
      ...createWaves(draft, batches),
      ...startWaves(draft, batches),
      laneSteps(draft, batches),
      smokeTests(draft, batches),
    ];
  }

  #batch({ service, starting }: Move): readonly Portion[] {
    if (starting === 0) return [];
    const point = this.#points.get(service)!;
    const newcomers = point.set.starting.slice(point.come, point.come + starting);
    point.come += starting;
    return [{ set: point.set, newcomers }];
  }

  /** Each side's share is its part of the instances; those that are about to leave do not count. */
  #weigh(cause: string, moves: readonly Move[], leaving: (move: Move) => number): readonly Step[] {
    const sides = moves.map((move): Sides => {
      const { set, before, left, come } = this.#points.get(move.service)!;
      const staying = left.length - leaving(move);
      return {
        service: move.service,
        counts: { old: staying, fresh: come },
        old: () => sideOf({ network: before.network, instances: left.slice(0, staying) }),
        fresh: () => {
          const instances = set.starting.slice(0, come).map(({ instance }) => instance);
          return sideOf({ network: set.record.network, instances });
        },
      };
    });
    return this.#balance.weigh(cause, sides);
  }

  /** Those that use others leave before them. */
  #leave(moves: readonly Move[], leaving: (move: Move) => number): Waves {
    const counts = new Map(moves.map((move) => [move.service, leaving(move)]));
    const services = new Set([...counts].filter(([, count]) => count > 0).map(([name]) => name));
    if (services.size === 0) return [];
    const levels = this.#draft.scene.levelsOf(services).toReversed();
    return levels.flatMap((level) =>
      leaveWaves(
        this.#draft,
        level.map((name) => this.#departure(this.#points.get(name)!, counts.get(name)!)),
      ),
    );
  }

  #departure(point: Standpoint, count: number) {
    const instances = point.left.slice(-count);
    point.left = point.left.slice(0, -count);
    return { record: point.before, instances, cause: 'its successors serve' };
  }

  #monitor(batches: readonly Portion[]): readonly Step[] {
    return batches.flatMap(({ set, newcomers }) => {
      const { monitor } = this.#points.get(set.record.service)!.settings;
      if (monitor === undefined) return [];
      const instances = newcomers.map(({ instance }) => instance);
      return [step('declared in update_config', { kind: 'monitor', instances, ...monitor })];
    });
  }

  #delay(moves: readonly Move[]): readonly Step[] {
    const durationMs = Math.max(0, ...moves.map(({ service }) => this.#points.get(service)!.settings.delayMs));
    return durationMs === 0 ? [] : [step('declared in update_config', { kind: 'delay', durationMs })];
  }
}
