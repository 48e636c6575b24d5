import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import { readTextIfThere, writeFileAtomic } from '../files.ts';
import {
  hasEntry,
  helperOf,
  loginIn,
  namesIn,
  serverAddressOf,
  withLogin,
  withoutLogin,
  type DockerConfig,
  type RegistryLogin,
} from './config.ts';
import { askHelper, eraseInHelper, storeInHelper } from './helper.ts';

/** Where the file is, and the environment in which helpers run. */
export interface LoginPlace {
  /** `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where the command line of Docker keeps logins. */
export function loginPlaceOf(env: Readonly<Record<string, string>>): LoginPlace {
  return { file: join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json'), env };
}

/**
 * The login for a registry from Docker's file or from the helper that it names.
 * @throws UserError `docker-config-invalid`, `credential-helper-failed`
 */
export async function findLogin(place: LoginPlace, registry: string): Promise<RegistryLogin | undefined> {
  const config = await readConfig(place.file);
  const helper = helperOf(config, registry);
  if (helper === undefined) return loginIn(config, registry);
  const found = await askHelper(helper, { server: serverAddressOf(registry), env: place.env });
  return found ?? loginIn(config, registry);
}

/**
 * The logins for all registries that Docker's file names, by registry.
 * @throws UserError `docker-config-invalid`; a helper that fails has no login
 */
export async function findLogins(place: LoginPlace): Promise<Readonly<Record<string, RegistryLogin>>> {
  const found = namesIn(await readConfig(place.file)).map(
    async (name): Promise<[string, RegistryLogin | undefined]> => [
      name,
      await findLogin(place, name).catch(() => undefined),
    ],
  );
  return Object.fromEntries(
    (await Promise.all(found)).filter((pair): pair is [string, RegistryLogin] => pair[1] !== undefined),
  );
}

/** Keeps a login where the file says: in a helper, else in the file itself, which only its owner reads. */
export async function keepLogin(place: LoginPlace, login: RegistryLogin): Promise<{ readonly helper?: string }> {
  const config = await readConfig(place.file);
  const helper = helperOf(config, login.serveraddress ?? '');
  if (helper !== undefined) await storeInHelper(helper, { login, env: place.env });
  await writeConfig(place.file, withLogin(config, login, { keptByHelper: helper !== undefined }));
  return helper === undefined ? {} : { helper };
}

/** @returns whether there was one */
export async function dropLogin(place: LoginPlace, registry: string): Promise<boolean> {
  const config = await readConfig(place.file);
  const helper = helperOf(config, registry);
  const erased = helper === undefined ? false : await eraseInHelper(helper, { registry, env: place.env });
  if (!hasEntry(config, registry)) return erased;
  await writeConfig(place.file, withoutLogin(config, registry));
  return true;
}

/** @throws UserError `docker-config-invalid` */
export async function readConfig(file: string): Promise<DockerConfig> {
  const text = await readTextIfThere(file);
  if (text === undefined || text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // said below
  }
  throw new UserError({
    code: 'docker-config-invalid',
    kind: 'invalid',
    message: `${file} is not a JSON object`,
    fix: 'Mend it or move it away; it holds the logins of registries.',
  });
}

/** Only its owner reads it. */
export async function writeConfig(file: string, config: DockerConfig): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, `${JSON.stringify(config, undefined, '\t')}\n`, 0o600);
}
