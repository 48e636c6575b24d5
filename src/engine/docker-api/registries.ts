import { join } from 'node:path';
import { findLogin, type LoginPlace } from '../../lib/docker-config/index.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { parseReference } from '../../lib/oci/index.ts';
import type { PullImage } from '../build/index.ts';
import type { ImageStore } from '../image/index.ts';
import {
  createRegistryClient,
  parsePlatform,
  type Credential,
  type RegistryClient,
  type RegistrySettings,
} from '../registry/index.ts';
import { credentialOf } from './registry-auth.ts';

export interface RegistryAccess {
  readonly settings: RegistrySettings;
  /** Where the logins of this machine are: Docker's `config.json`. */
  readonly logins: LoginPlace;
}

interface RegistriesOptions {
  readonly access: RegistryAccess | undefined;
  /** `<root>/engine` */
  readonly directory: string;
  readonly images: ImageStore;
  readonly log: Log;
}

/** The client that everything in the engine pulls and pushes with. */
export async function openRegistries({ access, directory, images, log }: RegistriesOptions): Promise<RegistryClient> {
  return await createRegistryClient({
    images,
    directory: join(directory, 'transfers'),
    settings: access?.settings ?? { mirrors: {}, insecure: [], certificateFolders: [], proxyEnvironment: {} },
    findCredential: async (registry) => await findCredential(registry, { access, log }),
    log,
  });
}

/** A login that cannot be read is no reason not to ask: much is public. */
async function findCredential(
  registry: string,
  { access, log }: Pick<RegistriesOptions, 'access' | 'log'>,
): Promise<Credential | undefined> {
  if (access === undefined) return undefined;
  try {
    return credentialOf((await findLogin(access.logins, registry)) ?? {});
  } catch (error) {
    log.warn({ registry, error: messageOf(error) }, 'the login for a registry cannot be read');
    return undefined;
  }
}

/**
 * What FROM names and is not here comes from its registry.
 * @param credentialFor what a request brings; else the logins of this machine are taken
 */
export function pullForBuilds(
  registry: RegistryClient,
  credentialFor: (registry: string) => Credential | undefined = () => undefined,
): PullImage {
  return async (reference, { platform, signal, onOutput }) => {
    const credential = credentialFor(parseReference(reference).domain);
    const { image, digest } = await registry.pull(reference, {
      ...(credential === undefined ? {} : { credential }),
      ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
      ...(signal === undefined ? {} : { signal }),
      onProgress(event) {
        if (event.kind === 'started') onOutput(event.text);
        else if (event.state === 'unpacked' || event.state === 'exists' || event.state === 'retrying')
          onOutput(`${event.digest.slice('sha256:'.length, 'sha256:'.length + 12)}: ${event.detail ?? event.state}`);
      },
    });
    onOutput(`Digest: ${digest}`);
    return image;
  };
}
