import { Argument, Command, CommanderError, Option } from 'commander';
import { collect } from './arguments.ts';
import type { AddCommand, RunAction } from './command.ts';
import { commandsFor } from './commands/index.ts';
import { exitCodeOf } from './exit-codes.ts';
import type { Host } from './host.ts';
import { errorAsJson, renderError } from './output/errors.ts';
import { openSession, type GlobalOptions } from './session.ts';
import { SHELLS } from './shells.ts';

/**
 * Parses `words` (without program and script), runs one command and gives the exit code.
 * Errors are printed here: on standard error, as one JSON line with `--json`.
 */
export async function runCli(words: readonly string[], host: Host): Promise<number> {
  const outcome = { code: 0 };
  const commands = await commandsFor(words);
  const program = createProgram(host, commands, (session) => async (work) => {
    try {
      outcome.code = await work(session);
    } catch (error) {
      outcome.code = exitCodeOf(error);
      host.stderr.write(session.json ? errorAsJson(error) : renderError(error, session.style));
    }
  });
  if (words[0] === 'completion' || words[0] === 'complete') {
    const { complete } = await import('./completion.ts');
    return complete(program, words.slice(1), host);
  }
  try {
    await program.parseAsync([...words], { from: 'user' });
    return outcome.code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
}

type Guard = (
  session: ReturnType<typeof openSession>,
) => (work: (session: ReturnType<typeof openSession>) => Promise<number>) => Promise<void>;

function createProgram(host: Host, commands: readonly AddCommand[], guard: Guard): Command {
  const program = new Command('bascule');
  const run: RunAction =
    (work) =>
    (...rest) => {
      const command = rest.at(-1) as Command;
      const session = openSession(host, command.optsWithGlobals<GlobalOptions>());
      return guard(session)(() => work(session, ...rest));
    };
  program.version(host.version, '--version', 'print the version');
  for (const option of globalOptions()) program.addOption(option);
  program
    .description(
      'Immutable infrastructure with containers: build a release, start it beside the old one, tip traffic over, tip it back.',
    )
    .configureOutput({ writeOut: (text) => host.stdout.write(text), writeErr: (text) => host.stderr.write(text) })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what is possible)')
    .enablePositionalOptions()
    .exitOverride();
  for (const add of commands) add(program, run);
  program
    .command('completion')
    .summary('print the completion script for a shell: source <(bascule completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS));
  inherit(program);
  return program;
}

function globalOptions(): readonly Option[] {
  return [
    new Option('-f, --file <file>', 'Compose file; several are merged in this order').argParser(collect),
    new Option('-p, --project-name <name>', 'name of the project (default: `name:` in the file, else the folder)'),
    new Option('--project-directory <dir>', 'folder of the project (default: that of the first file)'),
    new Option('--profile <name>', 'also the services of this profile').argParser(collect),
    new Option('--env-file <file>', 'read variables from this file instead of .env').argParser(collect),
    new Option('--json', 'print data as JSON, progress as JSON lines on standard error'),
    new Option('--root <dir>', "the daemon's folder (or BASCULE_ROOT; default /var/lib/bascule)"),
    new Option('--engine <socket>', 'drive another engine, e.g. unix:///var/run/docker.sock (or BASCULE_ENGINE)'),
    new Option('--log-level <level>', 'of a daemon that this command starts').choices([
      'debug',
      'info',
      'warn',
      'error',
    ]),
  ];
}

/**
 * Sub-commands print and exit as the program does, and take the options of every command after their own name too
 * (without the short form where they use that letter themselves, and without those that they have of their own).
 */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    const own = new Set(command.options.flatMap(({ short, long }) => [short, long]));
    for (const option of globalOptions()) {
      if (own.has(option.long)) continue; // it means something else there
      if (own.has(option.short)) delete option.short;
      if (command.commands.length === 0) command.addOption(option.helpGroup('Options of every command:'));
    }
    inherit(command);
  }
}
