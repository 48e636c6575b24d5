import { exchange, agentFor, type RunProbe } from './dial.ts';
import { pause } from './pause.ts';

/** An application that is busy with it gets four times as long to rest. */
const REST = 4;

/** A few GETs a second on one kept-alive connection. */
export const probeByGet: RunProbe = async (run) => {
  const { target, signal } = run;
  const agent = agentFor(target);
  while (!signal.aborted) {
    const startedMs = performance.now();
    await exchange(run, { options: { agent, method: 'GET' }, send: (sent) => void sent.end() });
    const tookMs = performance.now() - startedMs;
    await pause(Math.max(target.intervalMs - tookMs, tookMs * REST), signal);
  }
  agent.destroy();
};
