import { join } from 'node:path';
import { findLogin, type LoginPlace } from '../../lib/docker-config/index.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { parseReference } from '../../lib/oci/index.ts';
import type { BuildRegistry } from '../build/index.ts';
import type { ImageStore } from '../image/index.ts';
import {
  createRegistryClient,
  parsePlatform,
  type Credential,
  type RegistryClient,
  type RegistrySettings,
  type TransferEvent,
} from '../registry/index.ts';
import { fetchDocument, pushDocument } from './registry-documents.ts';
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
 * Registries as builds use them: for what FROM names and is not here, for caches and for pushing.
 * @param credentialFor what a request brings; else the logins of this machine are taken
 */
export function registryForBuilds(
  registry: RegistryClient,
  credentialFor: (registry: string) => Credential | undefined = () => undefined,
): BuildRegistry {
  const login = (reference: string): { readonly credential?: Credential } => {
    const credential = credentialFor(parseReference(reference).domain);
    return credential === undefined ? {} : { credential };
  };
  return {
    async pull(reference, { platform, signal, onOutput }) {
      const { image, digest } = await registry.pull(reference, {
        ...login(reference),
        ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
        ...(signal === undefined ? {} : { signal }),
        onProgress: linesOf(onOutput),
      });
      onOutput(`Digest: ${digest}`);
      return image;
    },
    async push(reference, { signal, onOutput }) {
      const { digest } = await registry.push(reference, { ...login(reference), signal, onProgress: linesOf(onOutput) });
      onOutput(`Digest: ${digest}`);
    },
    fetchDocument: (reference, signal) => fetchDocument(registry, reference, { ...login(reference), signal }),
    fetchLayers: (reference, o) => registry.fetchLayers(reference, { ...login(reference), ...o }),
    pushLayers: (reference, o) => registry.pushLayers(reference, { ...login(reference), ...o }),
    pushDocument: (reference, o) => pushDocument(registry, reference, { ...login(reference), ...o }),
  };
}

/** What is worth a line of a build's progress. */
function linesOf(onOutput: (line: string) => void): (event: TransferEvent) => void {
  const told = ['unpacked', 'exists', 'uploaded', 'mounted', 'retrying'];
  return (event) => {
    if (event.kind === 'started') onOutput(event.text);
    else if (told.includes(event.state))
      onOutput(`${event.digest.slice('sha256:'.length, 'sha256:'.length + 12)}: ${event.detail ?? event.state}`);
  };
}
