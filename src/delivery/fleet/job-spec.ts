import type { JobSettings, Service } from '../compose/index.ts';
import type { FilePlacement, Release } from '../release/index.ts';
import { type InstanceSpec, instanceSpecOf } from './instance-spec.ts';

export interface JobRequest {
  readonly release: Release;
  readonly job: string;
  /** Counts from 1. */
  readonly attempt: number;
  pathOf(placement: FilePlacement): string;
}

/** `<project>-<job>-r<N>-job`: no instance ends like this. One container at a time, whatever the attempt. */
export function jobContainerName(o: {
  readonly project: string;
  readonly release: number;
  readonly job: string;
}): string {
  return `${o.project}-${o.job}-r${o.release}-job`;
}

/** Label of the attempt that a container is. */
export const ATTEMPT_LABEL = 'bascule.attempt';
export const JOB_LABEL = 'bascule.job';

/**
 * The one-off container of a job: its service's image, environment, networks, files, user and limits, and a command of
 * its own. It answers to no name, and nothing starts it again. Pure.
 */
export function jobSpecOf({ release, job, attempt, pathOf }: JobRequest): InstanceSpec {
  const settings = release.model.settings.jobs[job]!;
  const base = instanceSpecOf({ release, service: settings.service, index: 0, pathOf });
  const { project, number } = release;
  return {
    ...base,
    name: jobContainerName({ project, release: number, job }),
    labels: labelsOf({ release, job, attempt, pathOf }, settings),
    service: oneOff(base.service, settings),
    job: true,
    network:
      base.network.mode === 'networks'
        ? { mode: 'networks', attachments: base.network.attachments.map(({ network }) => ({ network, aliases: [] })) }
        : base.network,
  };
}

function labelsOf({ release, job, attempt }: JobRequest, { service }: JobSettings): Record<string, string> {
  return {
    'bascule.project': release.project,
    'bascule.release': String(release.number),
    'bascule.service': service,
    'bascule.instance': '0',
    'bascule.identity': `job ${job} ${attempt}`,
    [JOB_LABEL]: job,
    [ATTEMPT_LABEL]: String(attempt),
    'com.docker.compose.project': release.project,
    'com.docker.compose.service': service,
    'com.docker.compose.oneoff': 'True',
  };
}

function oneOff(service: Service, { command }: JobSettings): Service {
  const { restart: _restart, ports: _ports, labels: _labels, deploy, ...rest } = service;
  const { restart_policy: _policy, ...kept } = deploy ?? { resources: {}, placement: {} };
  return { ...rest, command, deploy: kept, healthcheck: { disable: true } };
}
