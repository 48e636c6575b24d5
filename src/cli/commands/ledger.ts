import { formatDuration } from '../../lib/duration.ts';
import type { Ledger, Streamed } from '../../server/client/index.ts';
import { parseCount } from '../arguments.ts';
import type { AddCommand } from '../command.ts';
import type { Style } from '../output/style.ts';
import { formatAge, renderTable } from '../output/table.ts';

export const addLedger: AddCommand = (program, run) => {
  program
    .command('ledger')
    .summary('show the evidence of a rollout: steps, requests, losses, times')
    .argument('[rollout]', 'number of the rollout (default: the latest)', parseCount)
    .option('-a, --all', 'one line for each rollout')
    .action(
      run(async (session, rollout: number | undefined, options: { all?: boolean }) => {
        const client = await session.connect();
        const project = await session.project(client);
        const value = options.all === true ? await client.ledgers(project) : await client.ledger(project, rollout);
        if (session.json) session.printJson(value);
        else session.print('rollout' in value ? renderLedger(value, session.style) : renderLedgers(value));
        return 0;
      }),
    );
};

function renderLedgers(ledgers: readonly Streamed<Ledger>[]): string {
  const rows = ledgers.map((ledger) => [
    String(ledger.rollout),
    ledger.kind,
    passage(ledger),
    ledger.result,
    formatAge(new Date(ledger.startedAt), new Date()),
    ledger.switchMs === undefined ? '-' : `${ledger.switchMs.toFixed(1)} ms`,
    String(ledger.totals.requests),
    String(ledger.totals.lost),
  ]);
  return renderTable(['ROLLOUT', 'KIND', 'RELEASES', 'RESULT', 'STARTED', 'SWITCH', 'REQUESTS', 'LOST'], rows);
}

function renderLedger(ledger: Streamed<Ledger>, style: Style): string {
  const lost = `${ledger.totals.lost} lost`;
  const head = `rollout ${ledger.rollout} of ${ledger.project}: ${ledger.kind} ${passage(ledger)}, ${ledger.result}, by ${ledger.author}`;
  const totals = `${ledger.totals.requests} requests, ${ledger.totals.lost === 0 ? style.green(lost) : style.red(lost)}`;
  const tip = ledger.switchMs === undefined ? '' : `, switch ${ledger.switchMs.toFixed(1)} ms`;
  const steps = ledger.steps.map((step) => [
    String(step.index + 1),
    `${step.undoing ? 'undo: ' : ''}${step.title}`,
    step.cause,
    step.outcome,
    step.durationMs === undefined ? '-' : formatDuration(step.durationMs),
  ]);
  const traffic = ledger.traffic.map((lane) => [
    `${lane.service} r${lane.release}`,
    lane.lane,
    String(lane.requests),
    String(lane.lost),
    String(lane.connectionErrors),
    String(lane.proxyErrors),
    String(lane.retries),
  ]);
  return [
    `${style.bold(head)}\n${totals}${tip}\n`,
    ledger.failure === undefined ? '' : `${style.red('reason:')} ${ledger.failure.reason}\n`,
    `\n${renderTable(['STEP', 'WHAT', 'CAUSE', 'OUTCOME', 'TIME'], steps)}`,
    traffic.length === 0
      ? ''
      : `\n${renderTable(['SET', 'LANE', 'REQUESTS', 'LOST', 'CONNECT', 'PROXY 5XX', 'RETRIES'], traffic)}`,
  ].join('');
}

function passage({ from, to }: Streamed<Ledger>): string {
  return `${from ?? 'nothing'} -> ${to ?? 'nothing'}`;
}
