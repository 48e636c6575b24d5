import type { ExecutionConfig, HealthcheckConfig } from '../../lib/oci/index.ts';
import type { ContainerConfig } from './create-request.ts';
import { invalidParameter } from './http-errors.ts';

/** A container's configuration with the image's defaults merged in. */
export interface MergedConfig {
  readonly user: string;
  readonly exposedPorts: readonly string[];
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  readonly healthcheck: HealthcheckConfig | undefined;
  readonly workingDir: string;
  /** Targets of anonymous volumes. */
  readonly volumes: readonly string[];
  readonly stopSignal: string | undefined;
  readonly shell: readonly string[] | undefined;
}

/**
 * What the user asks for over what the image says, field by field as Docker merges them
 * (moby daemon/commit.go `merge`, daemon/create.go `mergeAndVerifyConfig`).
 * @throws UserError `invalid-parameter` when neither names a command
 */
export function mergeConfig(user: ContainerConfig, image: ExecutionConfig): MergedConfig {
  const merged: MergedConfig = {
    user: user.User || image.User || '',
    exposedPorts: union(Object.keys(user.ExposedPorts ?? {}), Object.keys(image.ExposedPorts ?? {})),
    env: mergeEnv(user.Env ?? [], image.Env ?? []),
    labels: { ...image.Labels, ...user.Labels },
    ...mergeCommand(user, image),
    healthcheck: mergeHealthcheck(user.Healthcheck ?? undefined, image.Healthcheck),
    workingDir: user.WorkingDir || image.WorkingDir || '',
    volumes: union(Object.keys(user.Volumes ?? {}), Object.keys(image.Volumes ?? {})),
    stopSignal: user.StopSignal || image.StopSignal || undefined,
    shell: user.Shell ?? image.Shell,
  };
  if (lengthOf(merged.entrypoint) === 0 && lengthOf(merged.cmd) === 0) {
    throw invalidParameter('No command specified', 'Give a command, or use an image that has CMD or ENTRYPOINT.');
  }
  return merged;
}

/** An entrypoint of the user drops the image's command; `[""]` drops the image's entrypoint. */
function mergeCommand(user: ContainerConfig, image: ExecutionConfig): Pick<MergedConfig, 'entrypoint' | 'cmd'> {
  const own = user.Entrypoint ?? null;
  const takesImage = lengthOf(own) === 0;
  const entrypoint = takesImage && own === null ? (image.Entrypoint ?? null) : own;
  const cmd = takesImage && lengthOf(user.Cmd) === 0 ? (image.Cmd ?? null) : (user.Cmd ?? null);
  const isReset = entrypoint?.length === 1 && entrypoint[0] === '';
  return { entrypoint: isReset ? null : entrypoint, cmd };
}

/** The user's variables first, then those of the image that the user does not set. */
function mergeEnv(user: readonly string[], image: readonly string[]): readonly string[] {
  const names = new Set(user.map(nameOf));
  return [...user, ...image.filter((entry) => !names.has(nameOf(entry)))];
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

function mergeHealthcheck(
  user: ContainerConfig['Healthcheck'] | undefined,
  image: HealthcheckConfig | undefined,
): HealthcheckConfig | undefined {
  const own = user ?? {};
  if (user === undefined || user === null) return image;
  return dropEmpty({
    Test: lengthOf(own.Test) > 0 ? own.Test : image?.Test,
    Interval: own.Interval || image?.Interval,
    Timeout: own.Timeout || image?.Timeout,
    StartPeriod: own.StartPeriod || image?.StartPeriod,
    StartInterval: own.StartInterval || image?.StartInterval,
    Retries: own.Retries || image?.Retries,
  });
}

function dropEmpty(check: Record<string, unknown>): HealthcheckConfig {
  return Object.fromEntries(Object.entries(check).filter(([, value]) => value !== undefined && value !== null));
}

function union(first: readonly string[], second: readonly string[]): readonly string[] {
  return [...new Set([...first, ...second])];
}

function lengthOf(list: readonly string[] | null | undefined): number {
  return list?.length ?? 0;
}
