import { parseArgs } from 'node:util';
import { scopeOf } from '../lib/scope.ts';
import { createClient, type Client } from '../server/client/index.ts';
import type { Host } from './host.ts';
import { formatBytes } from './output/table.ts';
import { rootOf, sourceOf } from './session.ts';

/** Words that a daemon knows, for one argument of one command. */
export interface Candidates {
  /** With its sub-command: `releases show`. */
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
  /** @param project the one in this folder, or that the options name */
  wordsOf(client: Client, project: () => Promise<string>): Promise<readonly Candidate[]>;
}

const SOURCES: readonly Source[] = [
  { command: 'logs', argument: 'services', wordsOf: servicesOf },
  { command: 'exec', argument: 'service', wordsOf: servicesOf },
  { command: 'rollback', argument: 'release', wordsOf: releasesToReturnTo },
  { command: 'releases show', argument: 'release', wordsOf: releasesOf },
  { command: 'releases diff', argument: 'from', wordsOf: releasesOf },
  { command: 'releases diff', argument: 'to', wordsOf: releasesOf },
  { command: 'traffic out', argument: 'instance', wordsOf: instancesOf },
  { command: 'traffic in', argument: 'instance', wordsOf: instancesOf },
  { command: 'scale', argument: 'service=n', wordsOf: assignmentsOf },
  { command: 'set image', argument: 'service=image', wordsOf: assignmentsOf },
  { command: 'image inspect', argument: 'name', wordsOf: imagesOf },
  { command: 'image provenance', argument: 'name', wordsOf: imagesOf },
  { command: 'image sbom', argument: 'name', wordsOf: imagesOf },
  { command: 'image history', argument: 'name', wordsOf: imagesOf },
  { command: 'image tag', argument: 'image', wordsOf: imagesOf },
  { command: 'image rm', argument: 'names', wordsOf: imagesOf },
  { command: 'image push', argument: 'references', wordsOf: imagesOf },
  { command: 'image save', argument: 'names', wordsOf: imagesOf },
  { command: 'image export', argument: 'container', wordsOf: instancesOf },
  { command: 'image commit', argument: 'container', wordsOf: instancesOf },
];

/**
 * What the daemon knows for the command that is being written. Never starts one: where none answers in time there is
 * nothing to offer, and nothing is said.
 * @param words what stands on the command line after `bascule`
 */
export async function candidatesFor(words: readonly string[], host: Host): Promise<readonly Candidates[]> {
  const { command, options } = readLine(words);
  const sources = SOURCES.filter((each) => each.command === command);
  const [first] = sources;
  if (first === undefined) return [];
  const { runDirectory } = scopeOf(rootOf(host, options));
  const client = createClient(`${runDirectory}/api.sock`, AbortSignal.timeout(DEADLINE_MS));
  try {
    const project = async () => options.projectName ?? (await client.resolveProject(sourceOf(host, options)));
    const known = await first.wordsOf(client, project); // the arguments of one command take the same words
    return sources.map(({ argument }) => ({ command: first.command, argument, words: known }));
  } catch {
    return []; // no daemon, no project, no time: the shell shows what it has
  }
}

async function servicesOf(client: Client, project: () => Promise<string>): Promise<readonly Candidate[]> {
  const releases = await client.releases(await project());
  const serving = releases.find(({ state }) => state === 'current') ?? releases[0];
  return (serving?.services ?? []).map(({ name, image }) => ({ value: name, description: image }));
}

async function assignmentsOf(client: Client, project: () => Promise<string>): Promise<readonly Candidate[]> {
  const services = await servicesOf(client, project);
  return services.map(({ value, description }) => ({ value: `${value}=`, description }));
}

async function instancesOf(client: Client, project: () => Promise<string>): Promise<readonly Candidate[]> {
  const { instances } = await client.ps(await project());
  return instances.map(({ name, role, state }) => ({ value: name, description: `${role}, ${state}` }));
}

async function releasesOf(client: Client, project: () => Promise<string>): Promise<readonly Candidate[]> {
  return asWords(await client.releases(await project()));
}

async function releasesToReturnTo(client: Client, project: () => Promise<string>): Promise<readonly Candidate[]> {
  const releases = await client.releases(await project());
  return asWords(releases.filter(({ state }) => state === 'warm' || state === 'kept'));
}

async function imagesOf(client: Client): Promise<readonly Candidate[]> {
  const images = await client.images();
  return images.flatMap(({ references, sizeBytes }) =>
    references.map((value) => ({ value, description: formatBytes(sizeBytes) })),
  );
}

function asWords(releases: Awaited<ReturnType<Client['releases']>>): readonly Candidate[] {
  return releases.map(({ number, state, createdAt }) => ({
    value: String(number),
    description: `${state}, made ${createdAt}`,
  }));
}

/** The options that say which project and which daemon, wherever they stand; `-f` is the file only before the command. */
function readLine(words: readonly string[]) {
  const startsAt = (command: string, index: number): boolean =>
    command.split(' ').every((word, offset) => words[index + offset] === word);
  const at = words.findIndex((_, index) => SOURCES.some(({ command }) => startsAt(command, index)));
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
    command: SOURCES.find((source) => startsAt(source.command, at))?.command,
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
