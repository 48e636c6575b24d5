import { systemCodeOf, UserError } from '../../lib/errors.ts';
import { callJson, isListening } from './transport.ts';

/** What a registry says of itself. */
export interface RegistryStatus {
  /** `http://127.0.0.1:5000`; empty where it serves nobody. */
  readonly address: string;
  readonly storage: string;
  readonly authentication: string;
  readonly anonymous: readonly string[];
  readonly readOnly: boolean;
  readonly sharesEngine: boolean;
  readonly pid: number;
  readonly version: string;
  readonly metrics?: string;
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly uploads: number;
  readonly blobs: number;
  readonly sharedBlobs: number;
  readonly blobBytes: number;
}

export interface RegistryTag {
  readonly tag: string;
  readonly digest: string;
  readonly updatedAt: string;
}

/** What a garbage collection deleted, or would. */
export interface CollectedGarbage {
  readonly manifests: number;
  readonly blobs: number;
  readonly freedBytes: number;
  readonly uploads: number;
  readonly repositories: number;
}

/** The registry of one root, in the daemon or in a process of its own. */
export interface RegistryAdministration {
  status(): Promise<RegistryStatus>;
  repositories(): Promise<readonly string[]>;
  tags(repository: string): Promise<readonly RegistryTag[]>;
  /** A tag alone, or by digest a manifest with its tags. */
  remove(repository: string, reference: string): Promise<void>;
  collect(o: { readonly dryRun: boolean; readonly untagged: boolean }): Promise<CollectedGarbage>;
}

/** Every call throws UserError `registry-not-running` where no registry of this root runs. */
export function createRegistryAdministration(runDirectory: string): RegistryAdministration {
  const socketPath = `${runDirectory}/registry.sock`;
  const call = async <T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    query: Readonly<Record<string, string | boolean>> = {},
  ): Promise<T> => {
    await requireRegistry(socketPath);
    return await callJson<T>(socketPath, { method, path, query });
  };
  return {
    status: () => call('GET', '/status'),
    repositories: () => call('GET', '/repositories'),
    tags: (repository) => call('GET', '/tags', { repository }),
    remove: (repository, reference) => call('DELETE', '/manifest', { repository, reference }),
    collect: (o) => call('POST', '/collect', { ...o }),
  };
}

async function requireRegistry(socketPath: string): Promise<void> {
  try {
    if (await isListening(socketPath)) return;
  } catch (error) {
    if (systemCodeOf(error) === undefined) throw error;
  }
  throw new UserError({
    code: 'registry-not-running',
    kind: 'unavailable',
    message: 'no registry of this root runs',
    fix: 'Let the daemon serve one: `bascule daemon config set registry.listen 127.0.0.1:5000` and `bascule daemon restart` (why it does not serve stands in its log). Or alone: `bascule registry serve`.',
  });
}
