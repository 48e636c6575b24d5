import type { Statement } from '../statement.ts';
import { type CheckedFile, type CheckedStage, finding, lineageOf } from './checked.ts';
import type { Finding } from './rules.ts';

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)/i;
const NO_SECRET = /(?:_|^)(?:file|public|version)(?:_|$)/i;

/** The instructions of one stage. */
export function checkStage(file: CheckedFile, written: CheckedStage): readonly Finding[] {
  const stage = { ...written, statements: [...written.triggers, ...written.statements] };
  return [
    ...checkWorkdir(file, stage),
    ...checkCommands(file, stage),
    ...checkRepeated(stage),
    ...stage.statements.flatMap((statement) => [...checkPairs(statement), ...checkSecrets(statement)]),
  ];
}

function checkWorkdir(file: CheckedFile, stage: CheckedStage): readonly Finding[] {
  const [, ...bases] = lineageOf(file, stage);
  const isWorkdir = (statement: Statement): boolean => statement.kind === 'workdir';
  if (bases.some(({ statements }) => statements.some(isWorkdir))) return [];
  const first = stage.statements.find((statement) => statement.kind === 'workdir');
  if (first === undefined || /^["'/$]/.test(first.value)) return [];
  const message = `Relative workdir ${JSON.stringify(first.value)} can have unexpected results if the base image changes`;
  return [finding(first.instruction, 'WorkdirRelativePath', message)];
}

/** With a shell of one's own the shell form is meant. */
function checkCommands(file: CheckedFile, stage: CheckedStage): readonly Finding[] {
  const [, ...bases] = lineageOf(file, stage);
  const isShell = (statement: Statement): boolean => statement.kind === 'shell';
  const inherits = bases.some(({ statements }) => statements.some(isShell));
  const fromImage = [stage, ...bases].some(({ baseImage }) => baseImage?.hasShell === true);
  if (inherits || fromImage) return [];
  const shellAt = stage.statements.findIndex(isShell);
  return stage.statements
    .slice(0, shellAt < 0 ? undefined : shellAt)
    .filter((statement) => statement.kind === 'cmd' || statement.kind === 'entrypoint')
    .filter(({ command }) => command.form === 'shell')
    .map(({ instruction }) => {
      const name = instruction.keyword.toUpperCase();
      const message = `JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`;
      return finding(instruction, 'JSONArgsRecommended', message);
    });
}

/** All but the last: these do nothing. */
function checkRepeated({ statements }: CheckedStage): readonly Finding[] {
  return (['cmd', 'entrypoint', 'healthcheck'] as const).flatMap((kind) =>
    statements
      .filter((statement) => statement.kind === kind)
      .slice(0, -1)
      .map(({ instruction }) => {
        const message = `Multiple ${kind.toUpperCase()} instructions should not be used in the same stage because only the last one will be used`;
        return finding(instruction, 'MultipleInstructionsDisallowed', message);
      }),
  );
}

function checkPairs({ kind, instruction }: Statement): readonly Finding[] {
  if ((kind !== 'env' && kind !== 'label') || instruction.args[2] !== '') return [];
  const name = kind.toUpperCase();
  const message = `"${name} key=value" should be used instead of legacy "${name} key value" format`;
  return [finding(instruction, 'LegacyKeyValueFormat', message)];
}

function checkSecrets(statement: Statement): readonly Finding[] {
  const names =
    statement.kind === 'env'
      ? statement.pairs.map(([name]) => name)
      : statement.kind === 'arg'
        ? statement.items.map(({ name }) => name)
        : [];
  return names
    .filter((name) => SECRET.test(name) && !NO_SECRET.test(name))
    .map((name) => {
      const what = `${statement.kind.toUpperCase()} "${name}"`;
      const message = `Do not use ARG or ENV instructions for sensitive data (${what})`;
      return finding(statement.instruction, 'SecretsUsedInArgOrEnv', message);
    });
}
