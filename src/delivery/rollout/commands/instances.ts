import { nearestWord } from '../../../lib/nearest.ts';
import { UserError } from '../../../lib/errors.ts';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { ExecRequest, LogQuery } from '../face.ts';
import type { ExecSession, LogLine } from '../views.ts';
import { mergeAsItComes, mergeByTime } from './merge.ts';
import type { Parts } from '../parts.ts';
import { requireProject } from './views.ts';

/** The log lines of a project's instances: merged in the order of time, or as they come when it follows. */
export async function* projectLogs(parts: Parts, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
  requireProject(parts, query.project);
  const { instances } = await parts.fleet.observe(query.project);
  requireServices(instances, query);
  const reader = new LogReader(parts, query, signal);
  const sources = instances.filter((instance) => reader.isWanted(instance)).map((instance) => reader.read(instance));
  yield* query.follow ? mergeAsItComes(sources, reader.comingUp()) : mergeByTime(sources);
}

/** The first lines may be older than the engine's word that the instance has started. */
const EARLIER_MS = 2_000;

class LogReader {
  readonly #parts: Parts;
  readonly #query: LogQuery;
  readonly #signal: AbortSignal;
  /** Instances that are being read: a restarted one is read again. */
  readonly #reading = new Set<string>();
  /** When the last line of an instance was written: what was given is not given again. */
  readonly #last = new Map<string, number>();

  constructor(parts: Parts, query: LogQuery, signal: AbortSignal) {
    this.#parts = parts;
    this.#query = query;
    this.#signal = signal;
  }

  isWanted({ service }: ObservedInstance): boolean {
    return this.#query.services.length === 0 || this.#query.services.includes(service);
  }

  async *read({ name, service, release }: ObservedInstance, startedAt?: Date): AsyncGenerator<LogLine> {
    const { follow, tail } = this.#query;
    const since = startedAt ?? this.#query.since;
    const options = {
      follow,
      signal: this.#signal,
      ...(tail === undefined || startedAt !== undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since }),
    };
    this.#reading.add(name);
    try {
      for await (const entry of this.#parts.fleet.logs(name, options)) {
        const atMs = entry.at.getTime();
        if (startedAt !== undefined && atMs <= (this.#last.get(name) ?? 0)) continue;
        this.#last.set(name, atMs);
        yield { service, instance: name, release, ...entry };
      }
    } finally {
      this.#reading.delete(name);
    }
  }

  /** Instances that are started while it follows: of the next release, for instance. */
  async *comingUp(): AsyncGenerator<AsyncGenerator<LogLine>> {
    for await (const event of this.#parts.fleet.events(this.#signal)) {
      const isNew =
        event.action === 'start' && event.project === this.#query.project && !this.#reading.has(event.instance);
      const instance = isNew ? await this.#parts.fleet.inspect(event.instance) : undefined;
      if (instance !== undefined && this.isWanted(instance))
        yield this.read(instance, new Date(event.at.getTime() - EARLIER_MS));
    }
  }
}

function requireServices(instances: readonly ObservedInstance[], { project, services }: LogQuery): void {
  const known = new Set(instances.map(({ service }) => service));
  for (const service of services) if (!known.has(service)) throw serviceMissing(project, service, known);
}

/** Runs a program in an instance of the release that serves. */
export async function execInService(parts: Parts, request: ExecRequest): Promise<ExecSession> {
  const instance = instanceFor(parts, request);
  const { args, env = {}, user, workingDirectory, tty, attachStdin, size } = request;
  const streams = await parts.fleet.exec(instance, {
    args,
    env,
    tty,
    attachStdin,
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    ...(size === undefined ? {} : { size }),
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
