import { join } from 'node:path';
import type { Log } from '../../../lib/log.ts';
import type { Scope } from '../../../lib/scope.ts';
import type { ImageStore } from '../../image/index.ts';
import type { RegistryServer } from './face.ts';
import { openRegistryServer } from './open.ts';
import { readSettings, registryDirectory, type RegistryConfiguration } from './settings.ts';

export interface StartOptions {
  readonly scope: Scope;
  readonly configuration: RegistryConfiguration;
  /** `HOST:PORT`; undefined: it is open, so that its layers stay, and serves nobody. */
  readonly listen: string | undefined;
  readonly images: ImageStore | undefined;
  readonly log: Log;
  readonly version: string;
}

const NOWHERE = '127.0.0.1:0';

/** The socket by which commands administer the registry of a root. */
function administrationSocket(scope: Pick<Scope, 'runDirectory'>): string {
  return join(scope.runDirectory, 'registry.sock');
}

/**
 * Opens the registry of a root and serves it.
 * @throws UserError `registry-config-invalid`, `registry-address-taken`, `registry-bucket-unusable`, `locked` …
 */
export async function startRegistry(o: StartOptions): Promise<RegistryServer> {
  const { scope, configuration, images, log, version } = o;
  const settings = await readSettings(configuration, { root: scope.root, listen: o.listen ?? NOWHERE });
  const registry = await openRegistryServer({
    directory: registryDirectory(scope.root),
    settings,
    images: configuration.share_engine ? images : undefined,
    log,
    version,
  });
  try {
    if (o.listen !== undefined) await registry.listen();
    await registry.listenForAdministration(administrationSocket(scope));
    return registry;
  } catch (error) {
    await registry.close();
    throw error;
  }
}
