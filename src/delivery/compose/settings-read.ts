import type { z } from 'zod';
import type {
  AnalysisPolicy,
  CanarySettings,
  CohortSettings,
  PreviewMatch,
  ProjectSettings,
  ServiceSettings,
} from './project-settings.ts';
import type { projectSettingsSchema, serviceSettingsSchema } from './settings-schema.ts';

type ProjectInput = z.output<typeof projectSettingsSchema>;
type ServiceInput = z.output<typeof serviceSettingsSchema>;

/** From Compose's spelling to ours, units in the names. */
export function projectSettingsOf(read: ProjectInput): ProjectSettings {
  const { rolling, preview } = read;
  return {
    keepMs: read.keep,
    drainMs: read.drain,
    healthTimeoutMs: read.health_timeout,
    strategy: read.strategy,
    rolling: defined({ maxUnavailable: rolling.max_unavailable, maxSurge: rolling.max_surge }),
    canary: canaryOf(read.canary),
    analysis: analysisOf(read.analysis),
    ...(preview === undefined ? {} : { preview: previewOf(preview) }),
    confirm: read.confirm,
    jobs: Object.fromEntries(
      Object.entries(read.jobs).map(([name, { timeout, ...job }]) => [name, defined({ ...job, timeoutMs: timeout })]),
    ),
    rollbackWindow: read.rollback_window,
    ...(read.read_only !== undefined && { readOnly: read.read_only }),
  };
}

const MINUTE_MS = 60_000;
const DEFAULT_STEPS: CanarySettings['steps'] = [
  { weight: 500, forMs: MINUTE_MS },
  { weight: 2_000, forMs: MINUTE_MS },
  { weight: 5_000, forMs: MINUTE_MS },
];

function canaryOf({ steps, cohorts, on_insufficient, max_wait }: ProjectInput['canary']): CanarySettings {
  return {
    steps: steps?.map(({ for: forMs, ...step }) => defined({ ...step, forMs })) ?? DEFAULT_STEPS,
    cohorts: cohorts.map(cohortOf),
    onInsufficient: on_insufficient,
    maxWaitMs: max_wait,
  };
}

function cohortOf(cohort: ProjectInput['canary']['cohorts'][number]): CohortSettings {
  if ('address' in cohort) return { kind: 'address', networks: [cohort.address].flat() };
  const value = cohort.value === undefined ? {} : { value: cohort.value };
  if ('header' in cohort) return { kind: 'header', name: cohort.header, ...value };
  return { kind: 'cookie', name: cohort.cookie, ...value };
}

function previewOf(preview: NonNullable<ProjectInput['preview']>): PreviewMatch {
  if ('host' in preview) return { kind: 'host', host: preview.host };
  return { kind: 'header', name: preview.header, value: preview.value };
}

function analysisOf(read: ProjectInput['analysis']): AnalysisPolicy {
  return {
    enabled: read.enabled,
    alpha: read.alpha,
    beta: read.beta,
    errorMargin: read.error_margin,
    slowMargin: read.slow_margin,
    metrics: read.metrics,
    queries: read.queries.map(({ interval, ...query }) => defined({ ...query, intervalMs: interval })),
    commands: read.commands.map(({ interval, timeout, ...guard }) =>
      defined({ ...guard, intervalMs: interval, timeoutMs: timeout }),
    ),
  };
}

export function serviceSettingsOf(read: ServiceInput): ServiceSettings {
  const { access_log, max_body, smoke, tls, probe, route, ...rest } = read;
  return defined({
    ...rest,
    route: route === undefined ? undefined : defined(route),
    accessLog: access_log,
    maxBodyBytes: max_body,
    tls: tls === undefined ? undefined : defined(tls),
    probe: probe === undefined ? undefined : defined(probe),
    smoke: smoke === undefined ? undefined : smokeOf(smoke),
  });
}

function smokeOf({ timeout, ...test }: NonNullable<ServiceInput['smoke']>): NonNullable<ServiceSettings['smoke']> {
  return defined({ ...test, timeoutMs: timeout });
}

/** Without the keys that have no value. */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<T>;
}
