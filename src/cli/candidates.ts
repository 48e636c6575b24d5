import { parseArgs } from 'node:util';
import { scopeOf } from '../lib/scope.ts';
import { createClient, type Client } from '../server/client/index.ts';
import type { Host } from './host.ts';
import { rootOf, sourceOf } from './session.ts';

/** Words that a daemon knows, for one argument of one command. */
export interface Candidates {
  readonly command: string;
  /** Name of the argument as `--help` shows it. */
  readonly argument: string;
  readonly words: readonly Candidate[];
}

interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** A shell waits for it at each press of Tab: with the start of the program it stays below 300 ms. */
const DEADLINE_MS = 150;

interface Source {
  readonly command: string;
  readonly argument: string;
  wordsOf(client: Client, project: string): Promise<readonly Candidate[]>;
}

const SOURCES: readonly Source[] = [
  { command: 'logs', argument: 'services', wordsOf: servicesOf },
  { command: 'exec', argument: 'service', wordsOf: servicesOf },
  { command: 'rollback', argument: 'release', wordsOf: releasesOf },
];

/**
 * What the daemon knows for the command that is being written. Never starts one: where none answers in time there is
 * nothing to offer, and nothing is said.
 * @param words what stands on the command line after `bascule`
 */
export async function candidatesFor(words: readonly string[], host: Host): Promise<Candidates | undefined> {
  const { command, options } = readLine(words);
  const source = SOURCES.find((each) => each.command === command);
  if (source === undefined) return undefined;
  const { runDirectory } = scopeOf(rootOf(host, options));
  const client = createClient(`${runDirectory}/api.sock`, AbortSignal.timeout(DEADLINE_MS));
  try {
    const project = options.projectName ?? (await client.resolveProject(sourceOf(host, options)));
    return { command: source.command, argument: source.argument, words: await source.wordsOf(client, project) };
  } catch {
    return undefined; // no daemon, no project, no time: the shell shows what it has
  }
}

async function servicesOf(client: Client, project: string): Promise<readonly Candidate[]> {
  const releases = await client.releases(project);
  const serving = releases.find(({ state }) => state === 'current') ?? releases[0];
  return (serving?.services ?? []).map(({ name, image }) => ({ value: name, description: image }));
}

async function releasesOf(client: Client, project: string): Promise<readonly Candidate[]> {
  const releases = await client.releases(project);
  return releases
    .filter(({ state }) => state === 'warm' || state === 'kept')
    .map(({ number, state, createdAt }) => ({ value: String(number), description: `${state}, made ${createdAt}` }));
}

/** The options that say which project and which daemon, wherever they stand; `-f` is the file only before the command. */
function readLine(words: readonly string[]) {
  const at = words.findIndex((word) => SOURCES.some(({ command }) => command === word));
  const { values } = parseArgs({
    args: words.map((word, index) => (word === '-f' && index < at ? '--file' : word)),
    strict: false,
    allowPositionals: true,
    options: {
      root: { type: 'string' },
      'project-name': { type: 'string', short: 'p' },
      'project-directory': { type: 'string' },
      file: { type: 'string', multiple: true },
      'env-file': { type: 'string', multiple: true },
      profile: { type: 'string', multiple: true },
      engine: { type: 'string' },
      'log-level': { type: 'string' },
    },
  });
  return {
    command: words[at],
    options: {
      ...single('root', values['root']),
      ...single('projectName', values['project-name']),
      ...single('projectDirectory', values['project-directory']),
      file: many(values['file']),
      envFile: many(values['env-file']),
      profile: many(values['profile']),
    },
  };
}

type Value = string | boolean | undefined | readonly (string | boolean)[];

function single<Key extends string>(key: Key, value: Value): { readonly [Each in Key]?: string } {
  return typeof value === 'string' ? ({ [key]: value } as { readonly [Each in Key]?: string }) : {};
}

function many(value: Value): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
