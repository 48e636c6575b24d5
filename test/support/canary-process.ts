import { readFileSync } from 'node:fs';
import { openScene, projectOf, requestOf } from './delivery-scene.ts';
import { waitFor } from './wait.ts';

/**
 * Plays the daemon that is killed in the middle of a canary: a person sets a weight, and when the candidate has
 * answered so many requests the process kills itself with SIGKILL.
 */
const given = JSON.parse(process.env['DELIVERY'] ?? '{}') as {
  socketPath: string;
  root: string;
  composeFile: string;
  killAtRequests: number;
  /** Basis points. */
  weight: number;
};
const scene = await openScene({ socketPath: given.socketPath, root: given.root });
const request = requestOf(projectOf(readFileSync(given.composeFile, 'utf8'), given.root));
const { name: project } = request.project;

async function answered(): Promise<number> {
  const status = await scene.delivery.status(project).catch(() => undefined);
  return status?.stage === undefined ? 0 : (status.sides?.candidate.requests ?? 0);
}

void scene.delivery.deploy(request, { onProgress: () => {}, signal: new AbortController().signal });
await waitFor(async () => (await answered()) > 0, { timeoutMs: 60_000, what: 'a stage' });
scene.delivery.control({ project, author: 'ann', action: { kind: 'weight', weight: given.weight } });
await waitFor(async () => (await answered()) >= given.killAtRequests, { timeoutMs: 60_000, what: 'evidence' });
process.stdout.write(`requests=${await answered()}\n`, () => process.kill(process.pid, 'SIGKILL'));
