import type { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { assertSupported } from '../compose/index.ts';
import type { Fleet } from '../fleet/index.ts';
import { openFileStore, openReleases } from '../release/index.ts';
import type { Traffic } from '../traffic/index.ts';
import { deploy, dryRun, rollback } from './deploy.ts';
import type { Delivery } from './face.ts';
import { execInService, projectLogs } from './instances.ts';
import { openJournal, type RolloutRecord } from './journal.ts';
import { readLedger, readLedgers } from './ledger.ts';
import { ProjectLocks, viewOf } from './locks.ts';
import type { Parts } from './parts.ts';
import { buildImages } from './prepare.ts';
import { networkProbe, type Probe } from './probe.ts';
import { createRetirer } from './retire.ts';
import { runRecord } from './run-rollout.ts';
import { takeDown } from './take-down.ts';
import { projectView, releaseViews } from './views.ts';
import { refreshAll, watchFleet } from './watch-fleet.ts';

export interface DeliveryOptions {
  /** `<root>/delivery/delivery.db`, opened with lib/database. */
  readonly database: DatabaseSync;
  /** `<root>/delivery`: versions of configs and secrets lie beneath it. */
  readonly directory: string;
  readonly fleet: Fleet;
  readonly traffic: Traffic;
  readonly log: Log;
  now(): Date;
  /** How new instances are looked at; default: over the network. */
  readonly probe?: Probe;
}

/** The delivery wing over one fleet and one traffic port. Call `resume()` before the first request. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const stopping = new AbortController();
  const parts = partsOf(options, stopping.signal);
  const retirer = createRetirer(parts);
  let watching: Promise<void> | undefined;

  const thenWake = async <T>(work: Promise<T>): Promise<T> => await work.finally(retirer.wake);
  return {
    deploy: (request, o) => thenWake(deploy(parts, request, o)),
    rollback: (request, o) => thenWake(rollback(parts, request, o)),
    down: (request, o) => thenWake(takeDown(parts, request, o)),
    build: async (request, o) => {
      assertSupported(request.project);
      return await buildImages(parts.fleet, request, o);
    },
    plan: (request) => dryRun(parts, request),
    projects: () => parts.releases.projects(),
    ps: (project) => projectView(parts, project),
    releases: async (project) => releaseViews(parts, project),
    logs: (query, signal) => projectLogs(parts, query, signal),
    exec: (request) => execInService(parts, request),
    ledger: (project, rollout) => readLedger(parts, project, rollout),
    ledgers: (project) => readLedgers(parts, project),
    running: (project) => viewOf(parts.locks.running(project)),
    resume: async () => {
      await resume(parts);
      await retirer.lookAtAll(true);
      watching = watchFleet(parts);
    },
    close: async () => {
      stopping.abort();
      await retirer.close();
      await Promise.all(parts.releases.projects().map((project) => parts.locks.running(project)?.ended));
      await watching;
    },
  };
}

function partsOf(options: DeliveryOptions, stopping: AbortSignal): Parts {
  const { database, directory, fleet, traffic, log, now, probe = networkProbe } = options;
  return {
    fleet,
    traffic,
    log,
    now,
    probe,
    stopping,
    releases: openReleases({ database }),
    journal: openJournal(database),
    files: openFileStore({ directory }),
    locks: new ProjectLocks(),
    ...trafficSwitch(traffic),
  };
}

/** The proxy is looked after by its own keeper once it runs: it is ensured once, not before each command. */
function trafficSwitch(traffic: Traffic): Pick<Parts, 'ensureTraffic' | 'stopTraffic'> {
  let ensured: Promise<void> | undefined;
  return {
    ensureTraffic: () => {
      ensured ??= traffic.ensure().catch((error: unknown) => {
        ensured = undefined;
        throw error;
      });
      return ensured;
    },
    stopTraffic: async () => {
      ensured = undefined;
      await traffic.stop();
    },
  };
}

/** What a killed daemon left open goes to its end: forward, or back where it was being undone. */
async function resume(parts: Parts): Promise<void> {
  const open = parts.journal.unfinished();
  if (open.length === 0 && parts.journal.standingProjects().length === 0) return;
  await Promise.all([parts.ensureTraffic(), ...open.map((record) => resumeRollout(parts, record))]);
  await refreshAll(parts);
}

/** Holds the project from the first moment on, so that no request comes in between. */
async function resumeRollout(parts: Parts, record: RolloutRecord): Promise<void> {
  const { project, number: rollout, kind, author } = record;
  parts.log.warn({ project, rollout, kind }, 'a rollout was interrupted; it goes on');
  const startedAt = new Date(record.startedMs);
  await parts.locks.hold(project, { kind, author, startedAt }, async (running) => {
    Object.assign(running, { rollout, from: record.from, to: record.to });
    const watch = { onProgress: () => {}, signal: new AbortController().signal };
    try {
      await parts.ensureTraffic();
      const { result, release } = await runRecord(parts, { record, running, watch });
      parts.log.info({ project, rollout, result, release }, 'the interrupted rollout has ended');
    } catch (error) {
      parts.log.error({ project, rollout, err: error }, `the interrupted rollout: ${messageOf(error)}`);
    }
  });
}
