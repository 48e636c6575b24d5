import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { askCommand, readCommand } from './guard-command.ts';
import { illnessOf } from './guard-instances.ts';
import { queryAddress, readAnswer } from './guard-query.ts';
import { judgeAnswer, unasked } from './guard-state.ts';
import type { ObservedInstance } from '../../fleet/index.ts';

const vector = (...values: readonly string[]): unknown => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, value] })) },
});

describe('a Prometheus query', () => {
  it('gives the value that is nearest to its limit, or beyond it', () => {
    assert.deepEqual(readAnswer(vector('0.5', '3', '2'), { max: 1 }), { kind: 'value', value: 3 });
    assert.deepEqual(readAnswer(vector('0.5', '3'), { min: 1 }), { kind: 'value', value: 0.5 });
    assert.deepEqual(readAnswer(vector('0.5', '3'), { min: 1, max: 5 }), { kind: 'value', value: 0.5 });
    assert.deepEqual(readAnswer(vector('+Inf'), { max: 1 }), { kind: 'value', value: Infinity });
    const scalar = { status: 'success', data: { resultType: 'scalar', result: [1, '7'] } };
    assert.deepEqual(readAnswer(scalar, { max: 1 }), { kind: 'value', value: 7 });
  });

  it('is unknown without data, without a number, and with anything else', () => {
    const matrix = { status: 'success', data: { resultType: 'matrix', result: [] } };
    const broken = { status: 'error', errorType: 'bad_data', error: 'parse error' };
    for (const body of [
      vector(),
      vector('NaN'),
      vector('1', 'NaN'),
      matrix,
      broken,
      undefined,
      'text',
      { status: 'success' },
    ])
      assert.equal(readAnswer(body, { max: 1 }).kind, 'unknown');
    assert.match((readAnswer(broken, { max: 1 }) as { detail: string }).detail, /parse error/);
  });

  it('is asked beneath the address of the server', () => {
    const query = 'rate(x[1m]) > 0';
    assert.equal(
      queryAddress({ prometheus: 'http://host:9090/prom/', query }),
      'http://host:9090/prom/api/v1/query?query=rate%28x%5B1m%5D%29+%3E+0',
    );
  });
});

describe('what a guard says', () => {
  const guard = { name: 'errors', max: 1, failures: 2 };

  it('fails after so many bad answers in a row', () => {
    const bad = { kind: 'value', value: 2 } as const;
    const once = judgeAnswer(guard, unasked('errors'), { answer: bad, nowMs: 1 });
    assert.deepEqual([once.state, once.detail], ['ok', '2 is above 1 (1 of 2 in a row)']);
    const unknown = judgeAnswer(guard, once, { answer: { kind: 'unknown', detail: 'no data' }, nowMs: 2 });
    assert.deepEqual([unknown.state, unknown.bad, unknown.unknownSinceMs], ['unknown', 1, 2]);
    assert.equal(judgeAnswer(guard, unknown, { answer: bad, nowMs: 3 }).state, 'failed');
    const well = judgeAnswer(guard, once, { answer: { kind: 'value', value: 1 }, nowMs: 2 });
    assert.deepEqual([well.state, well.bad, well.detail], ['ok', 0, '1 (allowed: at most 1)']);
  });
});

describe('a command guard', () => {
  const rollout = { project: 'shop', rollout: 3, stable: 1, candidate: 2, weight: 500 };
  const signal = new AbortController().signal;
  const guard = (run: readonly string[], more: object = {}) => ({
    name: 'c',
    run,
    timeoutMs: 5_000,
    intervalMs: 1,
    failures: 1,
    ...more,
  });

  it('reads the exit code, and the last line where there is a limit', () => {
    const ended = (exitCode: number | null, output = '', errors = '') => ({ exitCode, output, errors });
    assert.equal(readCommand(ended(0), {}).kind, 'well');
    assert.deepEqual(readCommand(ended(2, 'x', 'oh\nno\n'), {}), { kind: 'bad', detail: 'ended with exit code 2: no' });
    assert.deepEqual(readCommand(ended(0, 'a\n1.5\n'), { max: 2 }), { kind: 'value', value: 1.5 });
    assert.equal(readCommand(ended(0, 'many'), { max: 2 }).kind, 'unknown');
    assert.equal(readCommand(ended(0, ''), { min: 0 }).kind, 'unknown');
  });

  it('is told about the rollout, and nothing else of the daemon', async () => {
    const run = ['sh', '-c', 'env | grep BASCULE_ | sort | tr "\\n" " " >&2; exit 1'];
    process.env['BASCULE_SECRET'] = 'x';
    const answer = await askCommand(guard(run), { rollout, signal });
    delete process.env['BASCULE_SECRET'];
    assert.match(
      answer.kind === 'bad' ? answer.detail : '',
      /BASCULE_CANDIDATE=2 BASCULE_PROJECT=shop BASCULE_RELEASE=1 BASCULE_ROLLOUT=3 BASCULE_WEIGHT=5$/,
    );
  });

  it('is killed at its timeout with all that it started', async () => {
    const began = performance.now();
    const answer = await askCommand(guard(['sh', '-c', 'sleep 60 & sleep 60'], { timeoutMs: 100 }), {
      rollout,
      signal,
    });
    assert.deepEqual(answer, { kind: 'bad', detail: 'did not end within 100 ms' });
    assert.ok(performance.now() - began < 3_000);
  });

  it('may print without end', async () => {
    const run = ['sh', '-c', 'yes | head -c 20000000; echo; echo 7'];
    assert.deepEqual(await askCommand(guard(run, { max: 9 }), { rollout, signal }), { kind: 'value', value: 7 });
  });

  it('is unknown when there is no such program', async () => {
    const answer = await askCommand(guard(['/no/such/program']), { rollout, signal });
    assert.deepEqual(answer, { kind: 'unknown', detail: 'there is no program "/no/such/program"' });
  });
});

describe('an instance of the candidate', () => {
  const running = {
    state: 'running',
    health: 'healthy',
    restarts: 0,
    oomKilled: false,
    startedAt: new Date(5),
  } as ObservedInstance;
  const baseline = { restarts: 0, startedMs: 5 };

  it('is ill when it is gone, ended, restarted, out of memory or unhealthy', () => {
    assert.equal(illnessOf(running, baseline), undefined);
    assert.equal(illnessOf(undefined, baseline), 'is gone');
    assert.equal(illnessOf({ ...running, state: 'exited', exitCode: 3 }, baseline), 'exited with exit code 3');
    assert.match(illnessOf({ ...running, oomKilled: true }, baseline) ?? '', /memory/);
    assert.match(illnessOf({ ...running, restarts: 1 }, baseline) ?? '', /crashed/);
    assert.match(illnessOf({ ...running, startedAt: new Date(6) }, baseline) ?? '', /started again/);
    assert.equal(illnessOf({ ...running, health: 'unhealthy', healthOutput: 'a\nb' }, baseline), 'is unhealthy: b');
  });
});
