import { isAlive, type Plan, step } from '../plan.ts';
import { smokeTests } from '../checks.ts';
import { type Draft, type Waves } from '../draft.ts';
import { planOf } from '../finish.ts';
import { type Departure, discardWaves, leaveWaves, type Remains, type WayOut, wayOutOf } from '../leave.ts';
import { createWaves } from '../prepare.ts';
import { changesWhere, isAdded, type RouteChanges, sideOf } from '../routes.ts';
import type { PlacedSet, Portion } from '../sets.ts';
import { laneSteps, laterChanges, portionsOf, settleWaves, standUpWaves, tipOverWaves } from '../stages.ts';
import { startWaves } from '../start.ts';
import { Balance, type Sides } from '../weights.ts';
import { type SetRecord, setKey } from '../standing.ts';
import type { Step, TcpSide } from '../step.ts';
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
    ...discardWaves(draft, rolling.remains()),
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
class Standpoint implements Sides {
  readonly rolled: Rolled;
  readonly way: WayOut;
  /** Old instances that are still there. */
  #left: readonly string[];
  /** So many new instances are there already. */
  #come = 0;
  /** Of the old ones that are there, so many are about to leave: they do not count. */
  leaving = 0;

  constructor(rolled: Rolled, way: WayOut) {
    this.rolled = rolled;
    this.way = way;
    this.#left = rolled.old;
  }

  get counts(): Sides['counts'] {
    return { old: this.#left.length - this.leaving, fresh: this.#come };
  }

  old(): TcpSide {
    const { network } = this.rolled.before;
    return sideOf({ network, instances: this.#left.slice(0, this.counts.old) });
  }

  fresh(): TcpSide {
    const { record, starting } = this.rolled.set;
    const instances = starting.slice(0, this.#come).map(({ instance }) => instance);
    return sideOf({ network: record.network, instances });
  }

  /** The next of the new ones. */
  come(count: number): Portion {
    const { set } = this.rolled;
    const from = this.#come;
    this.#come += count;
    return { set, newcomers: set.starting.slice(from, this.#come) };
  }

  /** Those that were said to be leaving. */
  leave(): Departure {
    const { old } = this.counts;
    const instances = this.#left.slice(old);
    this.#left = this.#left.slice(0, old);
    this.leaving = 0;
    return { way: this.way, instances };
  }
}

class Rolling {
  readonly #draft: Draft;
  /** In the order in which they need each other. */
  readonly #points: ReadonlyMap<string, Standpoint>;
  readonly #balance: Balance;

  constructor(draft: Draft, rolled: readonly Rolled[]) {
    this.#draft = draft;
    this.#points = new Map(
      rolled.map((each) => {
        const way = wayOutOf(draft.scene, each.before, 'its successors serve');
        return [each.set.record.service, new Standpoint(each, way)];
      }),
    );
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

  /** Of the sets that were replaced. */
  remains(): readonly Omit<Remains, 'instances'>[] {
    return [...this.#points.values()].map(({ way, rolled }) => ({ way, record: rolled.before, left: rolled.old }));
  }

  #rollOf({ rolled: { set, old, settings } }: Standpoint) {
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
    const makingRoom = this.#makeRoom(moves);
    const batches = moves.filter(({ starting }) => starting > 0).map((move) => this.#pointOf(move).come(move.starting));
    return [
      ...(o.isFirst ? this.#firstStart(batches, makingRoom) : this.#start(batches, makingRoom)),
      this.#weigh('the next batch is healthy', moves, ({ after }) => after),
      this.#monitor(batches),
      ...this.#leave(moves.filter(({ after }) => after > 0)),
      o.isLast ? [] : this.#delay(moves),
    ];
  }

  #makeRoom(moves: readonly Move[]): Waves {
    const leaving = moves.filter(({ before }) => before > 0);
    if (leaving.length === 0) return [];
    return [this.#weigh('old instances make room', leaving, ({ before }) => before), ...this.#leave(leaving)];
  }

  #pointOf({ service }: Pick<Move, 'service'>): Standpoint {
    return this.#points.get(service)!;
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

  /** Each side's share is its part of the instances. */
  #weigh(cause: string, moves: readonly Move[], leaving: (move: Move) => number): readonly Step[] {
    for (const move of moves) this.#pointOf(move).leaving = leaving(move);
    return this.#balance.weigh(cause, (service) => this.#points.get(service)!);
  }

  /** Those that use others leave before them. */
  #leave(moves: readonly Move[]): Waves {
    const levels = this.#draft.scene.levelsOf(new Set(moves.map(({ service }) => service))).toReversed();
    return levels.flatMap((level) => leaveWaves(level.map((service) => this.#pointOf({ service }).leave())));
  }

  #monitor(batches: readonly Portion[]): readonly Step[] {
    return batches.flatMap(({ set, newcomers }) => {
      const { monitor } = this.#pointOf(set.record).rolled.settings;
      if (monitor === undefined) return [];
      const instances = newcomers.map(({ instance }) => instance);
      return [step('declared in update_config', { kind: 'monitor', instances, ...monitor })];
    });
  }

  #delay(moves: readonly Move[]): readonly Step[] {
    const durationMs = Math.max(0, ...moves.map((move) => this.#pointOf(move).rolled.settings.delayMs));
    return durationMs === 0 ? [] : [step('declared in update_config', { kind: 'delay', durationMs })];
  }
}
