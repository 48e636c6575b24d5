import { UserError } from '../errors.ts';
import { run, type RunResult } from '../process.ts';
import { serverAddressOf, type RegistryLogin } from './config.ts';

/** What helpers say when they know nothing (docker/docker-credential-helpers, `credentials/error.go`). */
const UNKNOWN = /credentials not found|no credentials server URL/i;
/** As the name of a user it says that the secret is a token. */
const TOKEN_USER = '<token>';
const TIMEOUT_MS = 60_000;

interface Place {
  readonly env: Readonly<Record<string, string>>;
}

/** `docker-credential-<helper> get`; undefined where it knows nothing. */
export async function askHelper(helper: string, o: Place & { server: string }): Promise<RegistryLogin | undefined> {
  const result = await call(helper, 'get', { ...o, input: o.server });
  if (result.exitCode !== 0) {
    if (UNKNOWN.test(result.stdout + result.stderr)) return undefined;
    throw failed(helper, 'get', result);
  }
  const { Username: username, Secret: secret } = parse(helper, result.stdout);
  if (typeof secret !== 'string' || typeof username !== 'string') return undefined;
  const serveraddress = o.server;
  return username === TOKEN_USER
    ? { serveraddress, identitytoken: secret }
    : { serveraddress, username, password: secret };
}

export async function storeInHelper(helper: string, o: Place & { login: RegistryLogin }): Promise<void> {
  const { serveraddress = '', username = '', password = '', identitytoken } = o.login;
  const isToken = identitytoken !== undefined;
  const input = JSON.stringify({
    ServerURL: serverAddressOf(serveraddress),
    Username: isToken ? TOKEN_USER : username,
    Secret: isToken ? identitytoken : password,
  });
  const result = await call(helper, 'store', { ...o, input });
  if (result.exitCode !== 0) throw failed(helper, 'store', result);
}

/** @returns whether there was something */
export async function eraseInHelper(helper: string, o: Place & { registry: string }): Promise<boolean> {
  const result = await call(helper, 'erase', { ...o, input: serverAddressOf(o.registry) });
  if (result.exitCode === 0) return true;
  if (UNKNOWN.test(result.stdout + result.stderr)) return false;
  throw failed(helper, 'erase', result);
}

async function call(helper: string, verb: string, o: Place & { input: string }): Promise<RunResult> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper)) throw unusable(helper, 'that is no name of a program');
  return await run([`docker-credential-${helper}`, verb], { input: o.input, env: o.env, timeoutMs: TIMEOUT_MS });
}

function parse(helper: string, text: string): Record<string, unknown> {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    throw unusable(helper, 'its answer is not JSON');
  }
}

function failed(helper: string, verb: string, result: RunResult): UserError {
  const said = (result.stdout.trim() || result.stderr.trim()).split('\n').at(-1) ?? '';
  return unusable(helper, `"${verb}" ended with ${result.exitCode}: ${said}`);
}

function unusable(helper: string, reason: string): UserError {
  return new UserError({
    code: 'credential-helper-failed',
    kind: 'failed',
    message: `the credential helper docker-credential-${helper} failed: ${reason}`,
    fix: "It is named in Docker's config.json (credsStore, credHelpers): mend it, or remove it there.",
  });
}
