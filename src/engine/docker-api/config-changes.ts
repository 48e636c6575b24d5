import type { ExecutionConfig } from '../../lib/oci/index.ts';
import { invalidParameter } from './http-errors.ts';

/** Instructions that `docker commit -c` and `docker import -c` take. */
const KNOWN = ['CMD', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'LABEL', 'ONBUILD', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR'];

/**
 * Lays Dockerfile instructions over a configuration.
 * @throws UserError `invalid-parameter` with the instruction
 */
export function applyChanges(config: ExecutionConfig, changes: readonly string[]): ExecutionConfig {
  return changes.flatMap((text) => text.split('\n')).reduce(applyChange, config);
}

function applyChange(config: ExecutionConfig, line: string): ExecutionConfig {
  const text = line.trim();
  if (text === '') return config;
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  switch (word.toUpperCase()) {
    case 'CMD':
      return { ...config, Cmd: commandOf(rest, config) };
    case 'ENTRYPOINT':
      return { ...config, Entrypoint: commandOf(rest, config) };
    case 'ENV':
      return { ...config, Env: withVariables(config.Env ?? [], pairsOf(rest, text)) };
    case 'LABEL':
      return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairsOf(rest, text)) } };
    case 'EXPOSE':
      return { ...config, ExposedPorts: { ...config.ExposedPorts, ...setOf(wordsOf(rest).map(withProtocol)) } };
    case 'VOLUME':
      return { ...config, Volumes: { ...config.Volumes, ...setOf(listOf(rest) ?? wordsOf(rest)) } };
    case 'USER':
      return { ...config, User: rest };
    case 'WORKDIR':
      return { ...config, WorkingDir: rest };
    case 'STOPSIGNAL':
      return { ...config, StopSignal: rest };
    case 'ONBUILD':
      return { ...config, OnBuild: [...(config.OnBuild ?? []), rest] };
    default:
      throw invalidParameter(`${word} is not a valid change command`, `One of ${KNOWN.join(', ')}.`);
  }
}

/** The JSON form, or the shell form. */
function commandOf(text: string, config: ExecutionConfig): readonly string[] {
  return listOf(text) ?? [...(config.Shell ?? ['/bin/sh', '-c']), text];
}

function listOf(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((word) => typeof word === 'string')) return value;
  } catch {
    // not the JSON form, then
  }
  return undefined;
}

/** `a=1 b="two words"`, or the older `a one value`. */
function pairsOf(text: string, whole: string): readonly (readonly [string, string])[] {
  const words = wordsOf(text);
  const [first = '', ...rest] = words;
  if (first === '') throw invalidParameter(`an assignment is missing in "${whole}"`, 'Write it as KEY=VALUE.');
  if (!first.includes('=')) return [[first, rest.join(' ')]];
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) throw invalidParameter(`"${word}" in "${whole}" is not an assignment`, 'Write it as KEY=VALUE.');
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Words at blanks; quotes and backslashes keep blanks. */
function wordsOf(text: string): readonly string[] {
  const found = text.match(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/g) ?? [];
  return found.map((word) => word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, unquoted));
}

function unquoted(_all: string, double?: string, single?: string, escaped?: string): string {
  return double?.replace(/\\(.)/g, '$1') ?? single ?? escaped ?? '';
}

function withVariables(env: readonly string[], pairs: readonly (readonly [string, string])[]): readonly string[] {
  const names = new Set(pairs.map(([name]) => name));
  const kept = env.filter((entry) => !names.has(entry.split('=', 1)[0] ?? ''));
  return [...kept, ...pairs.map(([name, value]) => `${name}=${value}`)];
}

function withProtocol(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`;
}

function setOf(keys: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}
