import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '../../../lib/errors.ts';
import type { RegistryServer } from './face.ts';
import { registryDirectory } from './settings.ts';
import { startRegistry, type StartOptions } from './start.ts';

/** A store that is far away may take longer: the daemon does not wait for it. */
const PATIENCE_MS = 5_000;

/** One line of `bascule doctor`. */
interface RegistryCheck {
  readonly name: 'registry';
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly fix?: string;
}

/** The registry of a daemon, as far as it has come. */
export interface RegistryBeside extends AsyncDisposable {
  /** Nothing where no registry is asked for. */
  check(): readonly RegistryCheck[];
}

type State =
  | { readonly kind: 'starting' }
  | { readonly kind: 'open'; readonly registry: RegistryServer }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * The registry of a daemon. It never keeps the daemon from starting: why it does not serve, the log and the doctor say. As
 * long as it is not known which layers its manifests name, none is deleted.
 */
export async function serveBeside(o: Omit<StartOptions, 'listen'>): Promise<RegistryBeside> {
  const { listen } = o.configuration;
  const isUsed = listen !== undefined || existsSync(join(registryDirectory(o.scope.root), 'registry.db'));
  if (!isUsed) return { check: () => [], async [Symbol.asyncDispose]() {} };
  let state: State = { kind: 'starting' };
  o.images?.retainLayers(() => state.kind !== 'open');
  const starting = startRegistry({ ...o, listen }).then(
    (registry) => void (state = { kind: 'open', registry }),
    (error: unknown) => {
      state = { kind: 'failed', error };
      o.log.error(fieldsOf(error), 'registry: it does not serve');
    },
  );
  await Promise.race([starting, delay(PATIENCE_MS, undefined, { ref: false })]);
  return {
    check: () => (listen === undefined ? [] : [checkOf(state)]),
    async [Symbol.asyncDispose]() {
      await starting;
      if (state.kind === 'open') await state.registry.close();
    },
  };
}

function checkOf(state: State): RegistryCheck {
  const name = 'registry';
  switch (state.kind) {
    case 'starting':
      return { name, state: 'warning', detail: 'it is still starting', fix: 'Wait for its storage to answer.' };
    case 'open':
      return { name, state: 'ok', detail: `listens on ${state.registry.status().address}` };
    case 'failed': {
      const fix = state.error instanceof UserError ? state.error.fix : 'Read the log of the daemon.';
      return { name, state: 'failed', detail: messageOf(state.error), fix };
    }
  }
}

function fieldsOf(error: unknown): object {
  return error instanceof UserError ? { code: error.code, error: messageOf(error), fix: error.fix } : { err: error };
}
