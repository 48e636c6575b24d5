import { posix } from 'node:path';
import { type Heredoc, heredocText } from '../dockerfile/lines.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { Statement } from '../dockerfile/statement.ts';
import { describe } from './created-by.ts';
import { originOf } from './origin.ts';
import type { CopyAction } from './plan.ts';
import type { Applied } from './planning.ts';
import type { StageState } from './stage-state.ts';

type CopyStatement = Extract<Statement, { readonly kind: 'copy' }>;

export function planCopy(state: StageState, statement: CopyStatement): Applied {
  const at = statement.instruction.restPosition;
  const expand = (text: string): string => state.expansion.word(text, at);
  const inline = new Map(statement.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const heredocs = statement.sources.flatMap((word) => inline.get(heredocName(word) ?? '') ?? []);
  const written = statement.sources.filter((word) => !inline.has(heredocName(word) ?? '')).map(expand);
  const destination = expand(statement.destination);
  const [chown, chmod] = [statement.chown, statement.chmod].map((flag) =>
    flag === undefined ? undefined : expand(flag),
  );
  const isDirectory = /(?:^|\/)\.{0,2}$/.test(destination);
  if (statement.sources.length > 1 && !isDirectory) {
    throw errorAt(state.source, at, {
      message: `with more than one source the destination must be a folder: "${destination}"`,
      fix: `Write it with a slash at its end: ${destination}/`,
    });
  }
  const action: CopyAction = {
    kind: 'copy',
    origin: originOf(state, statement, statement.from),
    sources: written.map((source) => sourcePath(state, statement, source)),
    inlineFiles: heredocs.map((heredoc) => ({ name: heredoc.name, content: contentOf(state, statement, heredoc) })),
    destination: posix.resolve(state.workingDirectory(), destination),
    intoDirectory: isDirectory,
    chown,
    chmod: modeOf(state, statement, chmod),
    unpacks: statement.isAdd,
  };
  const names = [...heredocs.map(({ name }) => `<<${name}`), ...written];
  return {
    action,
    createdBy: describe.copy({ isAdd: statement.isAdd, chown, chmod, sources: names, destination }),
  };
}

function heredocName(word: string): string | undefined {
  const match = /^\d*<<-?(?:"([^"]+)"|'([^']+)'|([^<\s"']+))$/.exec(word);
  return match?.[1] ?? match?.[2] ?? match?.[3];
}

function contentOf(state: StageState, statement: CopyStatement, heredoc: Heredoc): string {
  const text = heredocText(heredoc);
  return heredoc.expands ? state.expansion.heredoc(text, statement.instruction.restPosition) : text;
}

/** Paths begin at the root of where they come from; a path above it is refused. */
function sourcePath(state: StageState, statement: CopyStatement, source: string): string {
  const relative = posix.normalize(source.replace(/^\/+/, '') || '.').replace(/\/$/, '');
  if (relative !== '..' && !relative.startsWith('../')) return relative;
  throw errorAt(state.source, statement.instruction.restPosition, {
    message: `forbidden path outside the build context: ${source}`,
    fix: 'Copy the file into the context, or choose a higher folder as the context.',
  });
}

function modeOf(state: StageState, statement: CopyStatement, chmod: string | undefined): number | undefined {
  if (chmod === undefined) return undefined;
  if (/^[0-7]{1,5}$/.test(chmod)) return Number.parseInt(chmod, 8) & 0o7777;
  throw errorAt(state.source, statement.instruction.position, {
    message: `--chmod=${chmod} is no octal mode`,
    fix: 'Write it like --chmod=755.',
  });
}
