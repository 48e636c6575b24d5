import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import type { Host } from './host.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

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
  tab(program);
  await program.parseAsync(['complete', ...words], { from: 'user' });
  return 0;
}

/** Shells show one line a candidate. */
function describeBriefly(parent: Command): void {
  for (const command of parent.commands) {
    if (command.summary() !== '') command.description(command.summary());
    describeBriefly(command);
  }
}
