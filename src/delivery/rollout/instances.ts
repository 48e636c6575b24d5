import { nearestWord } from '../../lib/nearest.ts';
import { UserError } from '../../lib/errors.ts';
import type { ObservedInstance } from '../fleet/index.ts';
import type { ExecRequest, ExecSession, LogLine, LogQuery } from './face.ts';
import { mergeByTime } from './merge.ts';
import type { Parts } from './parts.ts';
import { requireProject } from './views.ts';

/** The log lines of a project's instances, merged in the order of time. */
export async function* projectLogs(parts: Parts, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
  requireProject(parts, query.project);
  const { instances } = await parts.fleet.observe(query.project);
  requireServices(instances, query);
  const wanted = instances.filter(({ service }) => query.services.length === 0 || query.services.includes(service));
  const sources = wanted.map((instance) => instanceLogs(parts, instance, { query, signal }));
  yield* mergeByTime(sources, query.follow);
}

async function* instanceLogs(
  { fleet }: Parts,
  { name, service, release }: ObservedInstance,
  { query, signal }: { readonly query: LogQuery; readonly signal: AbortSignal },
): AsyncGenerator<LogLine> {
  const { follow, tail, since } = query;
  const options = {
    follow,
    signal,
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
  };
  for await (const entry of fleet.logs(name, options)) yield { service, instance: name, release, ...entry };
}

function requireServices(instances: readonly ObservedInstance[], { project, services }: LogQuery): void {
  const known = new Set(instances.map(({ service }) => service));
  for (const service of services) if (!known.has(service)) throw serviceMissing(project, service, known);
}

/** Runs a program in an instance of the release that serves. */
export async function execInService(parts: Parts, request: ExecRequest): Promise<ExecSession> {
  const instance = instanceFor(parts, request);
  const { args, env = {}, user, workingDirectory, tty, attachStdin } = request;
  const streams = await parts.fleet.exec(instance, {
    args,
    env,
    tty,
    attachStdin,
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
  });
  return { instance, ...streams };
}

function instanceFor(parts: Parts, { project, service, index = 1 }: ExecRequest): string {
  requireProject(parts, project);
  const sets = parts.journal.standing(project).current?.sets ?? [];
  const set = sets.find((each) => each.service === service);
  if (set === undefined) throw serviceMissing(project, service, new Set(sets.map((each) => each.service)));
  const name = set.instances[index - 1];
  if (name !== undefined) return name;
  throw new UserError({
    code: 'instance-not-found',
    kind: 'not-found',
    message: `${service} has ${set.instances.length} instances: there is no number ${index}`,
    fix: `Give an --index from 1 to ${set.instances.length}.`,
  });
}

function serviceMissing(project: string, service: string, known: ReadonlySet<string>): UserError {
  const near = nearestWord(service, known);
  return new UserError({
    code: 'service-not-found',
    kind: 'not-found',
    message: `"${project}" has no running service "${service}"${near === undefined ? '' : `: did you mean "${near}"?`}`,
    fix:
      known.size === 0 ? 'Nothing of it runs: `bascule up` starts it.' : `There are: ${[...known].sort().join(', ')}.`,
    details: { project, service },
  });
}
