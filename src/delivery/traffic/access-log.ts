import { appendFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCodeOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { AccessDetails } from './haproxy/log-line.ts';
import type { RequestSample } from './traffic.ts';

/** One file a project, `<project>.log`, a JSON object a line; older ones are `<project>.log.1`, `.2` … */
export interface AccessLog {
  /** Never waits; what the disk cannot take in time is dropped and said so. */
  write(sample: RequestSample, details: AccessDetails): void;
  flush(): Promise<void>;
}

export interface AccessLogOptions {
  readonly directory: string;
  readonly log: Log;
  /** Default 64 MiB. */
  readonly maxFileBytes?: number;
  /** Older files that are kept. Default 4. */
  readonly keptFiles?: number;
}

const FLUSH_MS = 200;
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

export function createAccessLog({ directory, log, ...rest }: AccessLogOptions): AccessLog {
  const { maxFileBytes = 64 * 1024 * 1024, keptFiles = 4 } = rest;
  let waiting = new Map<string, string[]>();
  let waitingBytes = 0;
  let droppedLines = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const writeOut = async (): Promise<void> => {
    const batch = waiting;
    waiting = new Map();
    waitingBytes = 0;
    if (droppedLines > 0) log.warn({ droppedLines }, 'the access log is slower than the requests');
    droppedLines = 0;
    try {
      if (batch.size > 0) await mkdir(directory, { recursive: true, mode: 0o750 });
      for (const [project, lines] of batch) await append(join(directory, `${project}.log`), lines.join(''));
    } catch (error) {
      log.error({ error: messageOf(error), directory }, 'the access log could not be written');
    }
  };
  const append = async (path: string, text: string): Promise<void> => {
    if ((await sizeOf(path)) + text.length > maxFileBytes) await rotate(path, keptFiles);
    await appendFile(path, text, { mode: 0o640 });
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(writeOut);
    return writing;
  };
  return {
    write(sample, details) {
      const line = accessLine(sample, details);
      if (waitingBytes + line.length > MOST_WAITING_BYTES) {
        droppedLines += 1;
        return;
      }
      const project = sample.route.split('/', 1)[0] ?? '';
      const lines = waiting.get(project);
      if (lines === undefined) waiting.set(project, [line]);
      else lines.push(line);
      waitingBytes += line.length;
      timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
    },
    flush,
  };
}

/** Neither cookies nor authorization are in it, and query strings only where the route asks for them. */
export function accessLine(sample: RequestSample, details: AccessDetails): string {
  const { atMs, route, lane, status, method, responseMs, totalMs, loss } = sample;
  const { id, client, host, path, protocol, bytesIn, bytesOut, instance, userAgent, referer } = details;
  const [time, hasLane] = [new Date(atMs).toISOString(), lane.startsWith('lane-')];
  const line = { time, id, client, method, host, path, protocol, status, responseMs, totalMs, bytesIn, bytesOut };
  return `${JSON.stringify({ ...line, route, lane: hasLane ? lane : undefined, instance, loss, userAgent, referer })}\n`;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** `.log` becomes `.log.1`, this `.log.2` …; the oldest goes. Each step survives a crash after it. */
async function rotate(path: string, keptFiles: number): Promise<void> {
  await rm(`${path}.${keptFiles}`, { force: true });
  for (let number = keptFiles - 1; number >= 0; number--) {
    const from = number === 0 ? path : `${path}.${number}`;
    await rename(from, `${path}.${number + 1}`).catch((error: unknown) => {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    });
  }
}
