import type { AddCommand } from '../command.ts';

interface Entry {
  /** Names that it adds to the program. */
  readonly names: readonly string[];
  load(): Promise<AddCommand>;
}

/** In the order of `--help`. Read only when needed: the one that is called, or all where help is asked for. */
const COMMANDS: readonly Entry[] = [
  { names: ['up', 'deploy'], load: async () => (await import('./deploy.ts')).addDeploy },
  { names: ['set', 'scale'], load: async () => (await import('./amend.ts')).addAmend },
  { names: ['rollout'], load: async () => (await import('./rollout.ts')).addRollout },
  { names: ['rollback'], load: async () => (await import('./rollback.ts')).addRollback },
  { names: ['releases'], load: async () => (await import('./releases.ts')).addReleases },
  { names: ['ps'], load: async () => (await import('./ps.ts')).addPs },
  { names: ['logs'], load: async () => (await import('./logs.ts')).addLogs },
  { names: ['exec'], load: async () => (await import('./exec.ts')).addExec },
  { names: ['traffic'], load: async () => (await import('./traffic.ts')).addTraffic },
  { names: ['down'], load: async () => (await import('./down.ts')).addDown },
  { names: ['build'], load: async () => (await import('./build.ts')).addBuild },
  { names: ['ledger'], load: async () => (await import('./ledger.ts')).addLedger },
  { names: ['config'], load: async () => (await import('./config.ts')).addConfig },
  { names: ['images', 'image'], load: async () => (await import('./images/index.ts')).addImages },
  { names: ['login'], load: async () => (await import('./login.ts')).addLogin },
  { names: ['logout'], load: async () => (await import('./login.ts')).addLogout },
  { names: ['registry'], load: async () => (await import('./registry.ts')).addRegistry },
  { names: ['certificates'], load: async () => (await import('./certificates.ts')).addCertificates },
  { names: ['doctor'], load: async () => (await import('./doctor.ts')).addDoctor },
  { names: ['engine'], load: async () => (await import('./engine.ts')).addEngine },
  { names: ['daemon'], load: async () => (await import('./daemon.ts')).addDaemon },
  { names: ['purge'], load: async () => (await import('./purge.ts')).addPurge },
];

/** The command that the words call; all of them where that is none, so that help and suggestions know them. None for the version. */
export async function commandsFor(words: readonly string[]): Promise<readonly AddCommand[]> {
  if (words.length === 1 && words[0] === '--version') return [];
  const called = commandWord(words);
  const entry = COMMANDS.find(({ names }) => called !== undefined && names.includes(called));
  return Promise.all((entry === undefined ? COMMANDS : [entry]).map(({ load }) => load()));
}

/** Options that may stand before the command and take the word behind them. */
const VALUED = new Set([
  '-f',
  '--file',
  '-p',
  '--project-name',
  '--project-directory',
  '--profile',
  '--env-file',
  '--root',
  '--engine',
  '--log-level',
]);

/** The first word that is neither an option nor the value of one. */
export function commandWord(words: readonly string[]): string | undefined {
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (!word.startsWith('-')) return word;
    if (VALUED.has(word)) index += 1;
  }
  return undefined;
}
