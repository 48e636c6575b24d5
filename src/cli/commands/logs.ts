import type { LogLine, Streamed } from '../../server/client/index.ts';
import { parseMoment, parseTail } from '../arguments.ts';
import type { AddCommand } from '../command.ts';
import type { Session } from '../session.ts';

interface LogOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: Date;
  readonly timestamps?: boolean;
}

export const addLogs: AddCommand = (program, run) => {
  program
    .command('logs')
    .summary('show what the instances print')
    .argument('[services...]', 'only these services')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('-n, --tail <lines>', 'lines from the end of each instance, or "all"', parseTail)
    .option('--since <time>', 'from this time on: 2026-05-01T12:00:00Z, or 10m ago', (text) =>
      parseMoment(text, new Date()),
    )
    .option('-t, --timestamps', 'begin each line with its time')
    .action(run((session, services: string[], options: LogOptions) => logs(session, services, options)));
};

async function logs(session: Session, services: readonly string[], options: LogOptions): Promise<number> {
  const client = await session.connect();
  const project = await session.project(client);
  const stop = new AbortController();
  using _interrupts = session.host.onInterrupt(() => stop.abort());
  const query = {
    services,
    follow: options.follow ?? false,
    ...(options.tail === undefined ? {} : { tail: options.tail }),
    ...(options.since === undefined ? {} : { since: options.since.toISOString() }),
  };
  try {
    for await (const line of client.logs(project, query, stop.signal)) printLine(session, line, options);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return 0;
}

function printLine(session: Session, line: Streamed<LogLine>, options: LogOptions): void {
  if (session.json) {
    session.print(`${JSON.stringify(line)}\n`);
    return;
  }
  const { host, style } = session;
  const target = line.stream === 'stderr' ? host.stderr : host.stdout;
  const time = options.timestamps === true ? `${line.at} ` : '';
  target.write(`${style.cyan(line.instance)} | ${time}${line.text}\n`);
}
