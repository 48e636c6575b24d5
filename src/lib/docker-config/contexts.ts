import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import { readTextIfThere, writeFileAtomic } from '../files.ts';
import { lateCrypto } from '../late-crypto.ts';
import { readConfig, writeConfig, type LoginPlace } from './store.ts';

/** What `docker --context NAME` speaks to (docker/cli, `cli/context/store`). */
export interface DockerContext {
  readonly name: string;
  readonly description: string;
  /** `unix:///…` */
  readonly host: string;
}

/** As docker allows them: letters, digits and `_.+-`. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;

/**
 * Writes a context, or points the one of that name elsewhere where it is ours: `isOurs` is asked with its description.
 * @throws UserError `context-name-invalid`, `context-taken`, `docker-config-invalid`
 */
export async function writeContext(
  place: LoginPlace,
  context: DockerContext,
  isOurs: (description: string) => boolean,
): Promise<void> {
  if (!NAME.test(context.name) || context.name === 'default') throw nameInvalid(context.name);
  const file = fileOf(place, context.name);
  const there = await readTextIfThere(file);
  if (there !== undefined && !isOurs(descriptionIn(there))) throw taken(context.name);
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  const meta = {
    Name: context.name,
    Metadata: { Description: context.description },
    Endpoints: { docker: { Host: context.host, SkipTLSVerify: false } },
  };
  await writeFileAtomic(file, JSON.stringify(meta));
}

/** @returns whether there was one. @throws UserError `context-taken` where it is not ours, `docker-config-invalid` */
export async function removeContext(
  place: LoginPlace,
  name: string,
  isOurs: (description: string) => boolean,
): Promise<boolean> {
  const file = fileOf(place, name);
  const there = await readTextIfThere(file);
  if (there !== undefined && !isOurs(descriptionIn(there))) throw taken(name);
  const config = await readConfig(place.file);
  if (config.currentContext === name) {
    const { currentContext: _, ...rest } = config;
    await writeConfig(place.file, rest);
  }
  if (there === undefined) return false;
  await rm(dirname(file), { recursive: true });
  return true;
}

/** Makes it the one that docker speaks to without `--context`. @throws UserError `docker-config-invalid` */
export async function useContext(place: LoginPlace, name: string): Promise<void> {
  await writeConfig(place.file, { ...(await readConfig(place.file)), currentContext: name });
}

function fileOf(place: LoginPlace, name: string): string {
  const digest = lateCrypto().createHash('sha256').update(name).digest('hex');
  return join(dirname(place.file), 'contexts/meta', digest, 'meta.json');
}

function descriptionIn(text: string): string {
  try {
    const meta = JSON.parse(text) as { readonly Metadata?: { readonly Description?: unknown } };
    const description = meta.Metadata?.Description;
    return typeof description === 'string' ? description : '';
  } catch {
    return '';
  }
}

function nameInvalid(name: string): UserError {
  return new UserError({
    code: 'context-name-invalid',
    kind: 'invalid',
    message: `"${name}" cannot be the name of a docker context`,
    fix: 'Use letters, digits and "_.+-", at least two of them, and not "default".',
  });
}

function taken(name: string): UserError {
  return new UserError({
    code: 'context-taken',
    kind: 'conflict',
    message: `there is a docker context "${name}" that was not made by Bascule`,
    fix: 'Choose another name, or remove it first: docker context rm.',
  });
}
