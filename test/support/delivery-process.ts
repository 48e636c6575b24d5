import { readFileSync } from 'node:fs';
import { openScene, projectOf, requestOf } from './delivery-scene.ts';

/**
 * Plays the daemon that will be killed: deploys once, and kills itself with SIGKILL at the moment that it is given:
 * when the step that is the number `killAt` to start does so, or a job says `killAtLine`.
 */
const given = JSON.parse(process.env['DELIVERY'] ?? '{}') as {
  socketPath: string;
  root: string;
  composeFile: string;
  killAt?: number;
  killAtLine?: string;
};
const scene = await openScene({ socketPath: given.socketPath, root: given.root });
const request = requestOf(projectOf(readFileSync(given.composeFile, 'utf8'), given.root));
let seen = 0;
await scene.delivery.deploy(request, {
  onProgress: (event) => {
    const isStep = event.type === 'step-started' && seen++ === given.killAt;
    const isLine = event.type === 'job-output' && event.line === given.killAtLine;
    if (isStep || isLine) process.kill(process.pid, 'SIGKILL');
  },
  signal: new AbortController().signal,
});
process.exit(0);
