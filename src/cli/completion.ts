import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { candidatesFor, type Candidates } from './candidates.ts';
import type { Host } from './host.ts';
import { SHELLS } from './shells.ts';

/**
 * The script cannot be sourced twice, and asks for a function of the package bash-completion, which small machines
 * have not.
 */
const BASH_PRELUDE = `declare -F __bascule_complete > /dev/null && return 0 2> /dev/null
if ! declare -F _get_comp_words_by_ref > /dev/null; then
    _get_comp_words_by_ref() {
        words=("\${COMP_WORDS[@]}")
        cword=$COMP_CWORD
        cur=\${words[cword]}
        prev=\${words[cword - 1]}
    }
fi

`;

/**
 * `completion SHELL` prints the script for a shell; that script calls `complete -- WORDS…`, which prints one
 * candidate a line.
 */
export async function complete(program: Command, words: readonly string[], host: Host): Promise<number> {
  const [first = ''] = words;
  if (first !== '--' && !SHELLS.some((shell) => shell === first)) {
    host.stderr.write(
      `error: unknown shell "${first}"\n  what to do: use one of ${SHELLS.join(', ')}, e.g. source <(bascule completion bash)\n`,
    );
    return 2;
  }
  describeBriefly(program);
  const known = tab(program);
  if (first === '--') for (const each of await candidatesFor(words.slice(1), host)) offer(known, each);
  if (first === 'bash') host.stdout.write(BASH_PRELUDE);
  await program.parseAsync(['complete', ...inLongForm(words)], { from: 'user' });
  return 0;
}

/** The library takes `-f` for that of every command, the file; after `logs` it is `--follow`. */
function inLongForm(words: readonly string[]): readonly string[] {
  const at = words.indexOf('logs');
  return at < 0 ? words : words.map((word, index) => (word === '-f' && index > at ? '--follow' : word));
}

/** What a daemon told goes where the command takes such a word. */
function offer(known: ReturnType<typeof tab>, candidates: Candidates): void {
  for (const word of known.commands.get(candidates.command)?.arguments.values() ?? []) {
    if (word.name !== candidates.argument) continue;
    word.handler = (add) => candidates.words.forEach(({ value, description }) => add(value, description));
  }
}

/** Shells show one line a candidate. */
function describeBriefly(parent: Command): void {
  for (const command of parent.commands) {
    if (command.summary() !== '') command.description(command.summary());
    describeBriefly(command);
  }
}
