import type { ClientRequest } from 'node:http';
import { exchange, agentFor, type RunProbe } from './dial.ts';
import { pause } from './pause.ts';

const PARTS = 20;
const PART = 'bascule-probe...';
const PART_MS = 150;

/** Requests whose body takes three seconds to arrive, one after the other: each crosses whatever happens meanwhile. */
export const probeByPost: RunProbe = async (run) => {
  const { target, signal } = run;
  const agent = agentFor(target);
  const headers = { 'content-type': 'text/plain', 'content-length': String(PARTS * PART.length) };
  while (!signal.aborted) {
    const send = (sent: ClientRequest): void => void dribble(sent, signal);
    await exchange(run, { options: { agent, method: 'POST', headers }, send });
    await pause(target.intervalMs, signal);
  }
  agent.destroy();
};

/** Without a wait once the signal has fired. An answer that comes early ends it. */
async function dribble(sent: ClientRequest, signal: AbortSignal): Promise<void> {
  let isAnswered = false;
  sent.once('response', () => {
    isAnswered = true;
  });
  for (let part = 0; part < PARTS && !sent.destroyed; part++) {
    sent.write(PART);
    if (!signal.aborted && !isAnswered) await pause(PART_MS, signal);
  }
  if (!sent.destroyed) sent.end();
}
