import { UserError } from '../lib/errors.ts';
import { engineSilent, engineUnavailable } from '../lib/engine-unavailable.ts';
import type { SystemCheck } from './routes/system.ts';

const DEADLINE_MS = 5_000;
const ANSWER_LIMIT = 1_000_000;

/** What an engine calls itself. */
interface EngineIdentity {
  readonly name: string;
  readonly version: string;
}

/**
 * Asks who answers on a socket.
 * @throws UserError `engine-unavailable` when nothing does, `engine-wrong` when it is no container engine
 */
export async function probeEngine(socketPath: string): Promise<EngineIdentity> {
  let answer: { readonly status: number; readonly text: string };
  const signal = AbortSignal.timeout(DEADLINE_MS);
  try {
    answer = await ask(socketPath, signal);
  } catch (cause) {
    const deed = { what: 'ask the engine for its version', cause, socketPath };
    throw signal.aborted
      ? engineSilent(deed, `no answer in ${DEADLINE_MS / 1_000} s`)
      : (engineUnavailable(deed) ?? cause);
  }
  const identity = identityOf(answer.text);
  if (answer.status === 200 && identity !== undefined) return identity;
  throw new UserError({
    code: 'engine-wrong',
    kind: 'unavailable',
    message: `what answers on ${socketPath} is no container engine (GET /version gave ${answer.status})`,
    fix: 'Name the socket of a Docker Engine API, e.g. --engine unix:///var/run/docker.sock.',
  });
}

/**
 * Lets the first request that needs the engine wait for its word; once it has answered, each call tells for itself.
 * The result throws what `probeEngine` throws.
 */
export function engineGate(socketPath: string): () => Promise<void> {
  let hasAnswered = false;
  return async () => {
    if (hasAnswered) return;
    await probeEngine(socketPath);
    hasAnswered = true;
  };
}

/** The line of `bascule doctor` for an engine that is not Bascule's own. */
export async function checkEngine(socketPath: string): Promise<SystemCheck> {
  try {
    const { name, version } = await probeEngine(socketPath);
    return { name: 'engine', state: 'ok', detail: `${name} ${version} on ${socketPath}` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { name: 'engine', state: 'failed', detail: error.message, fix: error.fix };
  }
}

function ask(socketPath: string, signal: AbortSignal): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const { request } = process.getBuiltinModule('node:http'); // an import would read the whole of undici
    const outgoing = request({ socketPath, path: '/version', headers: { host: 'docker' }, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text = (text + chunk).slice(0, ANSWER_LIMIT)));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

interface Version {
  readonly Version?: unknown;
  readonly ApiVersion?: unknown;
  readonly Components?: readonly { readonly Name?: string }[];
}

function identityOf(text: string): EngineIdentity | undefined {
  try {
    const version = JSON.parse(text) as Version | null;
    if (typeof version?.ApiVersion !== 'string') return undefined;
    return { name: version.Components?.[0]?.Name ?? 'Docker', version: String(version.Version) };
  } catch {
    return undefined;
  }
}
