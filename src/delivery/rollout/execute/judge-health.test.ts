import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObservedInstance } from '../../fleet/index.ts';
import { type Circumstances, judgeHealth } from './judge-health.ts';

const NOW = new Date('2026-01-01T00:00:10Z');

function verdict(seen: Partial<ObservedInstance>, more: Partial<Circumstances> = {}): string {
  const instance: ObservedInstance = {
    id: '1',
    name: 'p-web-r1-1',
    project: 'p',
    service: 'web',
    release: 1,
    index: 1,
    identity: 'x',
    labels: {},
    imageId: 'sha256:1',
    state: 'running',
    oomKilled: false,
    health: 'none',
    restarts: 0,
    networks: [],
    addresses: {},
    ...seen,
  };
  const judged = judgeHealth(instance, { mayExit: false, waitedMs: 0, lastExitCode: undefined, now: NOW, ...more });
  return judged.verdict === 'fit' ? 'fit' : `${judged.verdict}: ${judged.reason}`;
}

describe('a new instance', () => {
  it('is as healthy as its health check says', () => {
    assert.equal(verdict({ health: 'healthy' }), 'fit');
    assert.match(verdict({ health: 'starting' }), /^waiting/);
    assert.match(verdict({ health: 'unhealthy' }), /^failed/);
  });

  it('without a health check must run steadily', () => {
    assert.equal(verdict({ startedAt: new Date('2026-01-01T00:00:08Z') }), 'fit');
    assert.match(verdict({ startedAt: new Date('2026-01-01T00:00:09.5Z') }), /^waiting/);
  });

  it('fails when it ends, unless it may', () => {
    assert.match(verdict({ state: 'exited', exitCode: 3 }), /^failed: it ended with exit code 3$/);
    assert.match(verdict({ state: 'exited', exitCode: 137, oomKilled: true }), /out of memory/);
    assert.match(verdict({ state: 'exited', exitCode: 0 }), /^failed/);
    assert.equal(verdict({ state: 'exited', exitCode: 0 }, { mayExit: true }), 'fit');
  });

  it('may crash at first, but not again and again', () => {
    assert.match(verdict({ state: 'restarting', exitCode: 1, restarts: 2 }), /^waiting/);
    assert.match(verdict({ restarts: 3 }, { waitedMs: 4_000, lastExitCode: 1 }), /^failed: .*3 restarts, exit code 1/);
    assert.match(verdict({ state: 'restarting', exitCode: 1, restarts: 5 }), /^failed/);
  });
});
