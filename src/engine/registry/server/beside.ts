import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '../../../lib/errors.ts';
import type { RegistryServer } from './face.ts';
import { registryDirectory } from './settings.ts';
import { startRegistry, type StartOptions } from './start.ts';

/** A store that is far away may take longer: the daemon does not wait for it. */
const PATIENCE_MS = 5_000;

/**
 * The registry of a daemon. It never keeps the daemon from starting: why it does not serve stands in the log. As long as it
 * is not known which layers its manifests name, none is deleted.
 */
export async function serveBeside(o: Omit<StartOptions, 'listen'>): Promise<AsyncDisposable> {
  const { listen } = o.configuration;
  const isUsed = listen !== undefined || existsSync(join(registryDirectory(o.scope.root), 'registry.db'));
  if (!isUsed) return { async [Symbol.asyncDispose]() {} };
  let isKnown = false;
  o.images?.retainLayers(() => !isKnown);
  const starting = startRegistry({ ...o, listen }).then(
    (registry) => {
      isKnown = true;
      return registry;
    },
    (error: unknown): RegistryServer | undefined => {
      o.log.error(fieldsOf(error), 'registry: it does not serve');
      return undefined;
    },
  );
  await Promise.race([starting, delay(PATIENCE_MS, undefined, { ref: false })]);
  return {
    async [Symbol.asyncDispose]() {
      await (await starting)?.close();
    },
  };
}

function fieldsOf(error: unknown): object {
  return error instanceof UserError ? { code: error.code, error: messageOf(error), fix: error.fix } : { err: error };
}
