import { get } from 'node:http';

export interface VersionReport {
  readonly asked: number;
  /** Refused, reset, cut off, timed out, or answered with another status than 200. */
  readonly lost: number;
  /** When the first answer of another version came behind which the old one never answered again. */
  readonly tippedAtMs?: number;
}

/** Asks a server all the while, each time on a connection of its own, and notes which version answered. */
export interface Watching extends AsyncDisposable {
  lastOf(version: string): number | undefined;
  stop(): Promise<VersionReport>;
}

const EVERY_MS = 5;
const PATIENCE_MS = 2_000;

interface Answer {
  readonly sentMs: number;
  readonly atMs: number;
  /** undefined: lost. */
  readonly version: string | undefined;
}

/** @param old the version that answers when it begins; pages say `version=…` */
export async function startWatching(url: string, old: string): Promise<Watching> {
  const answers: Answer[] = [];
  const open = new Set<Promise<void>>();
  const one = (): void => {
    const sentMs = performance.now();
    const asking = ask(url).then((version) => {
      answers.push({ sentMs, atMs: performance.now(), version });
      open.delete(asking);
    });
    open.add(asking);
  };
  one();
  await Promise.all(open);
  const timer = setInterval(one, EVERY_MS);
  const stop = async (): Promise<VersionReport> => {
    clearInterval(timer);
    await Promise.all(open);
    return reportOf(answers, old);
  };
  return {
    lastOf: (version) => answers.findLast((answer) => answer.version === version)?.atMs,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

function reportOf(answers: readonly Answer[], old: string): VersionReport {
  const lastOldMs = Math.max(...answers.filter(({ version }) => version === old).map(({ sentMs }) => sentMs));
  const later = answers.filter(({ version, sentMs }) => version !== undefined && version !== old && sentMs > lastOldMs);
  const tippedAtMs = later.length === 0 ? undefined : Math.min(...later.map(({ atMs }) => atMs));
  return {
    asked: answers.length,
    lost: answers.filter(({ version }) => version === undefined).length,
    ...(tippedAtMs === undefined ? {} : { tippedAtMs }),
  };
}

function ask(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: PATIENCE_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve(response.statusCode === 200 ? /version=(\S+)/.exec(text)?.[1] : undefined));
      response.on('error', () => resolve(undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
