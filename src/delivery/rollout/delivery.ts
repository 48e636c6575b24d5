import type { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Certificates } from '../certificates/index.ts';
import { assertSupported } from '../compose/index.ts';
import type { Fleet } from '../fleet/index.ts';
import { openFileStore, openKeyring, openReleases } from '../release/index.ts';
import type { Traffic } from '../traffic/index.ts';
import { amend, planAmend } from './commands/amend.ts';
import { deploy, dryRun } from './commands/deploy.ts';
import { planRollback, rollback } from './commands/rollback.ts';
import type { Delivery } from './face.ts';
import { execInService, projectLogs } from './commands/instances.ts';
import { createHealer } from './upkeep/heal.ts';
import { createCollector } from './judge/collector.ts';
import { createControls } from './steer/controls.ts';
import { Changes } from './steer/changes.ts';
import { control } from './steer/control.ts';
import { openEvidenceStore } from './judge/evidence-store.ts';
import { createObservation } from './judge/observation.ts';
import { createProgressBoard } from './judge/progress-board.ts';
import { rolloutStatus } from './steer/status.ts';
import { watchRollout } from './steer/watch-rollout.ts';
import { setInstanceTraffic } from './commands/instance-traffic.ts';
import { openJobRuns } from './jobs/job-runs.ts';
import { Asides } from './execute/asides.ts';
import { openJournal } from './execute/journal.ts';
import { openWithdrawn } from './upkeep/withdrawn.ts';
import { fillFiles } from './upkeep/look-after-files.ts';
import { readLedger, readLedgers } from './ledger/ledger.ts';
import { ProjectLocks, viewOf } from './execute/locks.ts';
import type { Parts } from './parts.ts';
import { buildImages } from './commands/prepare.ts';
import { networkProbe, type Probe } from './execute/probe.ts';
import { startProbes } from './ledger/probes/index.ts';
import { acmeWishes } from './plan/prepare-certificates.ts';
import { createRetirer } from './upkeep/retire.ts';
import { releaseDetail, releaseDiff } from './commands/release-detail.ts';
import { resumeOpen } from './execute/resume.ts';
import { takeDown } from './commands/take-down.ts';
import { projectView, releaseViews } from './commands/views.ts';
import { watchFleet } from './upkeep/watch-fleet.ts';
import { createWitness } from './ledger/witness.ts';
import { openWitnessStore } from './ledger/witness-store.ts';

export interface DeliveryOptions {
  /** `<root>/delivery/delivery.db`, opened with lib/database. */
  readonly database: DatabaseSync;
  /** `<root>/delivery`: the key, and the sealed configs and secrets lie beneath it. */
  readonly directory: string;
  /** `/run/bascule…`: instances see configs and secrets in memory beneath it; absent: on the disk. */
  readonly runDirectory?: string;
  /** Instead of a key in `directory`: a file with 32 bytes or more. */
  readonly keyFile?: string;
  readonly fleet: Fleet;
  readonly traffic: Traffic;
  /** Absent: no service may ask for TLS. */
  readonly certificates?: Certificates;
  readonly log: Log;
  now(): Date;
  /** How new instances are looked at; default: over the network. */
  readonly probe?: Probe;
  /** How the front door is probed while a rollout runs; default: over the network. */
  readonly startProbes?: typeof startProbes;
}

/** The delivery wing over one fleet and one traffic port. Call `resume()` before the first request. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const stopping = new AbortController();
  const parts = partsOf(options, stopping.signal);
  fillFiles(parts);
  const retirer = createRetirer(parts);
  const healer = createHealer(parts);
  let watching: Promise<void> | undefined;
  let resuming: Promise<void> | undefined;

  /** Timers follow what was done; what a failure could not take back is swept away. */
  const thenWake = async <T>(project: string, work: Promise<T>): Promise<T> => {
    try {
      const result = await work;
      retirer.wake(project);
      healer.wakeAll();
      parts.certificates?.wake();
      return result;
    } catch (error) {
      void retirer.lookAtAll(true);
      healer.wakeAll();
      throw error;
    }
  };
  return {
    deploy: (request, o) => thenWake(request.project.name, deploy(parts, request, o)),
    rollback: (request, o) => thenWake(request.project, rollback(parts, request, o)),
    down: (request, o) => thenWake(request.project, takeDown(parts, request, o)),
    build: async (request, o) => {
      assertSupported(request.project);
      return await buildImages(parts.fleet, request, o);
    },
    plan: (request) => dryRun(parts, request),
    planRollback: (request) => planRollback(parts, request),
    amend: (request, o) => thenWake(request.project, amend(parts, request, o)),
    planAmend: (request) => planAmend(parts, request),
    control: (request) => control(parts, request),
    status: async (project) => rolloutStatus(parts, project),
    watchRollout: (project, signal) => watchRollout(parts, project, signal),
    setInstanceTraffic: (request) => setInstanceTraffic(parts, request),
    release: async (project, number) => releaseDetail(parts, project, number),
    diff: async (project, from, to) => releaseDiff(parts, project, { from, to }),
    projects: () => parts.releases.projects(),
    ps: (project) => projectView(parts, project),
    releases: async (project) => releaseViews(parts, project),
    logs: (query, signal) => projectLogs(parts, query, signal),
    exec: (request) => execInService(parts, request),
    ledger: (project, rollout) => readLedger(parts, project, rollout),
    ledgers: (project) => readLedgers(parts, project),
    running: (project) => viewOf(parts.locks.running(project)),
    resume: async () => {
      resuming = resumeOpen(parts)
        .then(() => parts.observation.settle())
        .then(() => retirer.lookAtAll(true))
        .then(() => healer.wakeAll())
        .catch((error: unknown) => parts.log.error({ err: error }, `could not resume: ${messageOf(error)}`));
      if (parts.journal.standingProjects().length > 0) await parts.ensureTraffic();
      parts.certificates?.look(() => acmeWishes(parts));
      watching = watchFleet(parts, (project) => healer.wake(project));
    },
    settled: async () => {
      await resuming;
      await parts.asides.allEnded();
    },
    close: async () => {
      stopping.abort();
      await resuming;
      await retirer.close();
      await healer.close();
      await parts.certificates?.close();
      await parts.locks.allEnded();
      await parts.asides.allEnded();
      await parts.witness.close();
      parts.observation.close();
      await watching;
    },
  };
}

function partsOf(options: DeliveryOptions, stopping: AbortSignal): Parts {
  const { database, directory, fleet, traffic, log, now, probe = networkProbe } = options;
  const [journal, locks, store, changes] = [
    openJournal(database),
    new ProjectLocks(),
    openEvidenceStore(database, log),
    new Changes(),
  ];
  const collector = createCollector({ traffic, store });
  const controls = createControls(store, (project) => changes.touch(project));
  const { runDirectory, keyFile } = options;
  const keyring = openKeyring({ directory, log, ...(keyFile === undefined ? {} : { keyFile }) });
  const releases = openReleases({ database, keyring });
  const board = createProgressBoard(store, (project) => changes.touch(project));
  return {
    fleet,
    traffic,
    log,
    now,
    probe,
    stopping,
    releases,
    journal,
    collector,
    controls,
    board,
    changes,
    certificates: options.certificates,
    jobs: openJobRuns(database),
    witness: createWitness({
      ...{ traffic, journal, releases, collector, board, log, now },
      store: openWitnessStore(database),
      startProbes: options.startProbes ?? startProbes,
    }),
    observation: createObservation({ traffic, journal, locks, collector, controls, board, log, now }),
    withdrawn: openWithdrawn(database),
    files: openFileStore({ directory, keyring, ...(runDirectory === undefined ? {} : { runDirectory }) }),
    locks,
    asides: new Asides(),
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
