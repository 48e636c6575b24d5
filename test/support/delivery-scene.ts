import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import { loadProject, type Project } from '../../src/delivery/compose/index.ts';
import { type Fleet, openDockerFleet } from '../../src/delivery/fleet/index.ts';
import {
  createDelivery,
  type Delivery,
  type DeployRequest,
  type ProgressEvent,
  type RolloutOutcome,
} from '../../src/delivery/rollout/index.ts';
import { openTraffic, type Traffic } from '../../src/delivery/traffic/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { type Scope, scopeOf } from '../../src/lib/scope.ts';
import type { EngineUnderTest } from './engines.ts';

/** The delivery wing over a real engine and a real proxy, with a root of its own. */
export interface DeliveryScene extends AsyncDisposable {
  readonly root: string;
  /** Of the engine. */
  readonly socketPath: string;
  readonly scope: Scope;
  readonly fleet: Fleet;
  readonly traffic: Traffic;
  readonly delivery: Delivery;
  readonly events: ProgressEvent[];
  deploy(yaml: string, more?: Partial<DeployRequest>, signal?: AbortSignal): Promise<RolloutOutcome>;
  rollback(project: string, release?: number): Promise<RolloutOutcome>;
}

export async function openScene(o: {
  readonly socketPath: string;
  readonly root?: string;
  readonly log?: Log;
}): Promise<DeliveryScene> {
  const root = o.root ?? mkdtempSync(join(tmpdir(), 'bascule-delivery-'));
  const scope = scopeOf(root);
  const directory = join(root, 'delivery');
  mkdirSync(directory, { recursive: true });
  const log = o.log ?? silentLog;
  const database = openDatabase(join(directory, 'delivery.db'));
  const traffic = await openTraffic({ scope, directory: join(directory, 'traffic'), log, laneCount: 64 });
  const fleet = openDockerFleet({ socketPath: o.socketPath, scope, log });
  const { runDirectory } = scope;
  const delivery = createDelivery({ database, directory, runDirectory, fleet, traffic, log, now: () => new Date() });
  const events: ProgressEvent[] = [];
  const onProgress = (event: ProgressEvent): void => void events.push(event);
  const never = new AbortController().signal;
  return {
    root,
    socketPath: o.socketPath,
    scope,
    fleet,
    traffic,
    delivery,
    events,
    deploy: (yaml, more, signal = never) =>
      delivery.deploy(requestOf(projectOf(yaml, root), more), { onProgress, signal }),
    rollback: (project, release) =>
      delivery.rollback(
        { project, author: 'test', ...(release === undefined ? {} : { release }) },
        { onProgress, signal: never },
      ),
    [Symbol.asyncDispose]: async () => {
      for (const project of delivery.projects()) {
        await delivery
          .down({ project, volumes: true, author: 'test' }, { onProgress, signal: never })
          .catch(console.error);
        await forgetImages(fleet, delivery, project);
      }
      await delivery.close();
      await traffic.stop();
      await traffic.close();
      database.close();
      spawnSync('umount', ['--quiet', '--lazy', join(runDirectory, 'files')]); // where `down` has failed
      rmSync(root, { recursive: true, force: true });
      rmSync(scope.runDirectory, { recursive: true, force: true });
    },
  };
}

async function forgetImages(fleet: Fleet, delivery: Delivery, project: string): Promise<void> {
  for (const { number, services } of await delivery.releases(project)) {
    for (const { name } of services) await fleet.untagImage(`${project}-${name}:r${number}`);
  }
}

export function projectOf(yaml: string, directory: string): Project {
  return loadProject({
    files: [{ path: join(directory, 'compose.yaml'), text: yaml }],
    directory,
    environment: {},
    profiles: [],
    readText: () => undefined,
  });
}

export function requestOf(project: Project, more: Partial<DeployRequest> = {}): DeployRequest {
  return { project, author: 'test', build: true, force: false, environment: {}, ...more };
}

/**
 * One engine for a suite, and a scene of its own for each of its tests, that has taken up its work. Call it in
 * `describe`, behind `afterEach` hooks that need the scene.
 */
export function sceneForEach(engine: EngineUnderTest | undefined, hand: (scene: DeliveryScene) => void): void {
  let running: Awaited<ReturnType<EngineUnderTest['open']>>;
  let scene: DeliveryScene;
  before(async () => {
    running = await engine!.open();
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    scene = await openScene({ socketPath: running.socketPath });
    hand(scene);
    await scene.delivery.resume();
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
  });
}
