import { messageOf } from '../src/lib/errors.ts';
import { type ApiClient, openApi } from './api.ts';

export interface CrowdReport {
  /** Milliseconds of each, by what was done. */
  readonly create: readonly number[];
  readonly start: readonly number[];
  readonly exec: readonly number[];
  readonly remove: readonly number[];
  readonly errors: readonly string[];
}

/** So many clients at once, each making, starting, entering and removing one container after another. */
export async function crowd(o: {
  readonly socket: string;
  readonly clients: number;
  readonly seconds: number;
}): Promise<CrowdReport> {
  const report = { create: [], start: [], exec: [], remove: [], errors: [] } as Mutable<CrowdReport>;
  const until = performance.now() + o.seconds * 1_000;
  await Promise.all(
    Array.from({ length: o.clients }, async (_, client) => {
      using api = openApi(o.socket);
      for (let turn = 0; performance.now() < until; turn++) {
        await oneLife(api, `crowd-${client}-${turn}`, report).catch((error: unknown) => {
          report.errors.push(messageOf(error));
        });
      }
    }),
  );
  return report;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : T[Key] };

async function oneLife(api: ApiClient, name: string, report: Mutable<CrowdReport>): Promise<void> {
  const timed = async <T>(what: 'create' | 'start' | 'exec' | 'remove', work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const value = await work();
    report[what].push(performance.now() - started);
    return value;
  };
  const body = { Image: 'busybox', Cmd: ['sleep', '3600'], StopSignal: 'SIGKILL' };
  await timed('create', () => api.call('POST', `/containers/create?name=${name}`, body));
  try {
    await timed('start', () => api.call('POST', `/containers/${name}/start`));
    await timed('exec', () => enter(api, name));
  } finally {
    await timed('remove', () => api.call('DELETE', `/containers/${name}?force=1`));
  }
}

/** A process in the container, its words and its exit code, as `docker exec` asks for them. */
async function enter(api: ApiClient, name: string): Promise<void> {
  const made = await api.call('POST', `/containers/${name}/exec`, {
    Cmd: ['sh', '-c', 'echo here; exit 7'],
    AttachStdout: true,
  });
  const { Id } = JSON.parse(made.toString('utf8')) as { Id: string };
  const words = await api.call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
  const { ExitCode } = JSON.parse((await api.call('GET', `/exec/${Id}/json`)).toString('utf8')) as { ExitCode: number };
  if (!words.toString('utf8').endsWith('here\n')) throw new Error(`exec in ${name} said "${words.toString('utf8')}"`);
  if (ExitCode !== 7) throw new Error(`exec in ${name} ended with ${ExitCode}`);
}
