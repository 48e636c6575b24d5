import { parseDotenv } from './dotenv.ts';
import type { DraftService, Fail } from './draft.ts';
import { recordOf } from './kinds.ts';
import { type Lookup, lookupIn } from './template.ts';

export interface EnvironmentSource {
  readonly lookup: Lookup;
  readText(path: string): string | undefined;
  readonly fail: Fail;
}

type Environment = Readonly<Record<string, string | null>>;

/**
 * The variables of a service: those of its env_files in order, over them those of `environment`; names without a
 * value get theirs from the caller's environment. A missing file is an error unless `required: false`.
 */
export function environmentOf(name: string, service: DraftService, source: EnvironmentSource): Environment | undefined {
  const own = resolveNames(service.environment ?? {}, source.lookup);
  const files: Record<string, string> = {};
  for (const [index, file] of (service.env_file ?? []).entries()) {
    const lookup: Lookup = (key) => source.lookup(key) ?? lookupIn(own)(key) ?? lookupIn(files)(key);
    const text = source.readText(file.path);
    if (text === undefined && file.required !== false) {
      throw source.fail(
        ['services', name, 'env_file', index],
        `there is no file ${file.path}`,
        'Create it, or write "required: false".',
      );
    }
    if (file.format !== undefined && file.format !== 'raw') {
      throw source.fail(
        ['services', name, 'env_file', index, 'format'],
        `unknown format "${file.format}"`,
        'Write "format: raw", or leave it out.',
      );
    }
    Object.assign(files, parseDotenv(text ?? '', { path: file.path, lookup, format: file.format }));
  }
  const all = recordOf([...Object.entries(files), ...Object.entries(own)]);
  return Object.keys(all).length === 0 ? undefined : all;
}

function resolveNames(environment: Environment, lookup: Lookup): Environment {
  return recordOf(Object.entries(environment).map(([key, value]) => [key, value ?? lookup(key) ?? null] as const));
}

/** Labels: those of label_file beneath those of `labels`. */
export function labelsOf(
  name: string,
  service: DraftService,
  source: EnvironmentSource,
): Readonly<Record<string, string>> | undefined {
  const files = (service.label_file ?? []).map((path) => {
    const text = source.readText(path);
    if (text === undefined)
      throw source.fail(
        ['services', name, 'label_file'],
        `there is no file ${path}`,
        'Create it, or correct the path.',
      );
    return Object.entries(parseDotenv(text, { path, lookup: source.lookup }));
  });
  const all = recordOf([...files.flat(), ...Object.entries(service.labels ?? {})]);
  return Object.keys(all).length === 0 ? undefined : all;
}

/** Build arguments: names without a value get theirs from the caller's environment, or are left out. */
export function buildArguments(args: Environment, lookup: Lookup): Readonly<Record<string, string>> {
  return recordOf(
    Object.entries(resolveNames(args, lookup)).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}
