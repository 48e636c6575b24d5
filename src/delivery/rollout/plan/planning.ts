import type { StrategyName } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import { freeLanes, type LaneId, type TrafficState } from '../../traffic/index.ts';
import { choosePorts } from './choose-ports.ts';
import type { Journal } from '../execute/journal.ts';
import type { RolloutKind } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import type { DeployInput, Observed, Plan, PlannedPort } from './plan.ts';
import type { CertificateNeeds } from './certificate-needs.ts';
import { planDeploy } from './strategy.ts';
import { declaredPorts } from '../commands/prepare.ts';
import { certificateNeeds } from './prepare-certificates.ts';
import { lanesOf, liveReleases, liveSets, type Standing } from './standing.ts';
import { requireTlsPorts } from './tls-ports.ts';

export interface Wish {
  /** It came without files: certificates that are installed stay. A rollback keeps them too. */
  readonly keepCertificates?: boolean;
  readonly kind: 'up' | 'deploy' | 'rollback';
  readonly target: Release;
  readonly force: boolean;
  /** Instead of the one that the Compose file declares. */
  readonly strategy?: StrategyName;
}

/** The world around a project, read in one go. */
export interface Surroundings {
  readonly observed: Observed;
  readonly state: TrafficState;
  readonly standing: Standing;
}

export async function lookAround({ fleet, traffic, journal }: Parts, project: string): Promise<Surroundings> {
  const [instances, state] = await Promise.all([fleet.observe(project), traffic.observe()]);
  return { observed: { fleet: instances, traffic: state }, state, standing: journal.standing(project) };
}

/**
 * Decides a rollout. What is asked of the outside comes first; from the choice of the lanes on there is no pause, so
 * that the caller can write the plan down before another rollout chooses.
 */
export async function planRelease(parts: Parts, wish: Wish): Promise<() => Plan> {
  const { target } = wish;
  const { observed, state, standing } = await lookAround(parts, target.project);
  const declared = declaredPorts(target.model);
  const ports = await choosePorts(target.project, declared, { traffic: parts.traffic, state });
  const certificates = await needsOfCertificates(parts, wish, { state, ports });
  return () => {
    const input: DeployInput = {
      ...wish,
      rollout: parts.journal.nextNumber(target.project),
      standing,
      releases: liveModels(parts, target.project, standing),
      observed,
      ports,
      ...(certificates === undefined ? {} : { certificates }),
      freeLanes: freeLanes(state, state.laneCount, reservedLanes(parts.journal)),
    };
    return planDeploy(input);
  };
}

async function needsOfCertificates(
  { certificates }: Parts,
  { target, kind, keepCertificates = false }: Wish,
  o: { readonly state: TrafficState; readonly ports: readonly PlannedPort[] },
): Promise<CertificateNeeds | undefined> {
  if (certificates === undefined) return undefined;
  requireTlsPorts(target.model, o.ports);
  const keepInstalled = keepCertificates || kind === 'rollback';
  return await certificateNeeds(certificates, { ...o, target, keepInstalled });
}

function liveModels({ releases }: Parts, project: string, standing: Standing): ReadonlyMap<number, Release> {
  const numbers = liveReleases(standing).map(({ release }) => release);
  return new Map(
    numbers.flatMap((number) => {
      const release = releases.find(project, number);
      return release === undefined ? [] : [[number, release] as const];
    }),
  );
}

/** Lanes that belong to a live release of any project, or that an open rollout has written down. */
function reservedLanes(journal: Journal): ReadonlySet<LaneId> {
  const standing = journal.standingProjects().flatMap((project) => lanesOf(liveSets(journal.standing(project))));
  const planned = journal.unfinished().flatMap(({ project, number }) =>
    journal.steps(project, number).flatMap(({ step }) => {
      if (step.kind === 'add-to-lane' || step.kind === 'remove-from-lane') return [step.lane];
      return step.kind === 'set-standing' ? lanesOf(liveSets(step.standing)) : [];
    }),
  );
  return new Set([...standing, ...planned]);
}

/** The first release of a project is an `up`, whatever the command was. */
export function kindOf(standing: Standing): Extract<RolloutKind, 'up' | 'deploy'> {
  return standing.current === undefined ? 'up' : 'deploy';
}
