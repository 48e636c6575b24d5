import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { systemCodeOf, UserError } from '../../lib/errors.ts';
import { readTextIfThere, writeFileAtomic } from '../../lib/files.ts';
import { keysOf, meaningOf } from './keys.ts';
import { knownKeys, parseConfiguration, type ParsedConfiguration } from './parse.ts';
import type { Configuration } from './schema.ts';

/** One key with the value that counts. */
export interface Setting {
  readonly key: string;
  readonly value: unknown;
  /** `--engine`, `BASCULE_ENGINE`, `FILE:LINE` or `default`. */
  readonly source: string;
}

/** A value that this command or its environment gave: it goes before the file. */
export interface Override {
  readonly value: string;
  readonly source: string;
}

/** Secrets may come to stand in it. */
const FILE_MODE = 0o600;

/** What `path` says, defaults where it says nothing. @throws UserError `config-invalid`, `config-denied` */
export async function readConfiguration(path: string): Promise<Configuration> {
  return (await read(path)).configuration;
}

/** Every key with its value and where that comes from. */
export async function listSettings(
  path: string,
  overrides: Readonly<Record<string, Override | undefined>>,
): Promise<readonly Setting[]> {
  const file = await read(path);
  return keysOf().map((key) => settingOf({ key, path, file, override: overrides[key] }));
}

/** One key out of `listSettings`. @throws UserError `config-unknown-key` */
export async function getSetting(
  path: string,
  key: string,
  overrides: Readonly<Record<string, Override | undefined>>,
): Promise<Setting> {
  requireKey(key);
  return settingOf({ key, path, file: await read(path), override: overrides[key] });
}

/** Order of precedence: command line, environment (both are overrides), file, default. */
function settingOf(o: {
  readonly key: string;
  readonly path: string;
  readonly file: Pick<ParsedConfiguration, 'configuration' | 'lines'>;
  readonly override: Override | undefined;
}): Setting {
  const { key, override, file } = o;
  if (override !== undefined) return { key, ...override };
  const line = file.lines.get(key);
  return { key, value: valueAt(file.configuration, key), source: line === undefined ? 'default' : `${o.path}:${line}` };
}

/**
 * Sets one key and leaves the rest of the file as it is, comments included.
 * @throws UserError `config-unknown-key`, `config-invalid` for a value that the key does not take
 */
export async function setSetting(path: string, key: string, text: string): Promise<void> {
  requireKey(key);
  const { document } = await read(path);
  if (!isMap(document.contents)) document.contents = document.createNode({}) as typeof document.contents;
  if (isMap(document.contents) && document.contents.items.length === 0) document.contents.flow = false;
  const written = [text, scalarOf(text)].map((value) => {
    document.setIn(key.split('.'), value);
    return String(document);
  });
  const right = written.find((each) => isValid(each, path));
  if (right === undefined) throw wrongValue(key, text);
  await write(path, right);
}

/** A number, or true and false. */
function scalarOf(text: string): unknown {
  const document = parseDocument(text);
  return document.errors.length === 0 ? document.toJS() : text;
}

function wrongValue(key: string, text: string): UserError {
  return new UserError({
    code: 'config-invalid',
    kind: 'invalid',
    message: `the configuration key ${key} does not take "${text}"`,
    fix: meaningOf(key.split('.')) ?? 'docs/cli.md lists the keys.',
  });
}

/** Takes one key out of the file; false where it does not stand there. */
export async function unsetSetting(path: string, key: string): Promise<boolean> {
  requireKey(key);
  const { document, lines } = await read(path);
  if (!lines.has(key)) return false;
  document.deleteIn(key.split('.'));
  await write(path, String(document));
  return true;
}

function isValid(text: string, path: string): boolean {
  try {
    parseConfiguration(text, path);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

async function read(path: string): Promise<ParsedConfiguration> {
  try {
    return parseConfiguration((await readTextIfThere(path)) ?? '', path);
  } catch (error) {
    throw denied(path, error);
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o711 });
    await writeFileAtomic(path, text, FILE_MODE);
  } catch (error) {
    throw denied(path, error);
  }
}

function denied(path: string, cause: unknown): unknown {
  if (!['EACCES', 'EPERM', 'EROFS'].includes(systemCodeOf(cause) ?? '')) return cause;
  return new UserError({
    code: 'config-denied',
    kind: 'denied',
    message: `cannot open ${path} (${systemCodeOf(cause)})`,
    fix: 'The configuration belongs to root: run the command with sudo.',
    cause,
  });
}

function requireKey(key: string): void {
  const known = keysOf();
  if (known.includes(key)) return;
  throw new UserError({
    code: 'config-unknown-key',
    kind: 'invalid',
    message: `there is no configuration key "${key}"`,
    fix: knownKeys(key, known),
  });
}

function valueAt(configuration: Configuration, key: string): unknown {
  return key
    .split('.')
    .reduce<unknown>((found, part) => (found as Readonly<Record<string, unknown>> | undefined)?.[part], configuration);
}
