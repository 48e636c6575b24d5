import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { askPrometheus } from '../../src/delivery/rollout/judge/guard-query.ts';
import { type GuardState, judgeAnswer, unasked } from '../../src/delivery/rollout/judge/guard-state.ts';
import { freePort } from '../support/free-port.ts';
import { type Prometheus, prometheusSkip, startPrometheus } from '../support/prometheus.ts';

/** What a guard says of queries to a real Prometheus. */
describe('queries to Prometheus', { skip: await prometheusSkip(), timeout: 60_000 }, () => {
  let prometheus: Prometheus;

  before(async () => {
    prometheus = await startPrometheus({
      ...{ 'queue_length{app="shop"}': '3', 'shard_length{shard="a"}': '2', 'shard_length{shard="b"}': '7' },
      ...{ broken_value: 'NaN', endless_value: '+Inf' },
    });
  });
  after(async () => {
    await prometheus?.[Symbol.asyncDispose]();
  });

  const ask = async (query: string, limits: object = { max: 5 }, address = prometheus.address): Promise<GuardState> => {
    const guard = { name: 'queue', prometheus: address, query, intervalMs: 5_000, failures: 1, ...limits };
    const answer = await askPrometheus(guard, new AbortController().signal);
    return judgeAnswer(guard, unasked('queue'), { answer, nowMs: 1 });
  };
  const said = async (...given: Parameters<typeof ask>): Promise<string> => {
    const { state, detail } = await ask(...given);
    return `${state}: ${detail}`;
  };

  it('pass and fail by their thresholds', async () => {
    assert.equal(await said('queue_length{app="shop"}'), 'ok: 3 (allowed: at most 5)');
    assert.equal(await said('max(queue_length) * 2'), 'failed: 6 is above 5');
    assert.equal(await said('queue_length', { min: 4 }), 'failed: 3 is below 4');
    assert.equal(await said('scalar(queue_length)'), 'ok: 3 (allowed: at most 5)');
    assert.match(await said('endless_value'), /^failed: .*above 5/);
  });

  it('with several series pass when all of them do, and name the one that does not', async () => {
    assert.match(
      await said('shard_length'),
      /^failed: 7 of instance="127.0.0.1:\d+", job="test", shard="b" is above 5$/,
    );
    assert.equal(await said('sum by (shard) (shard_length)'), 'failed: 7 of shard="b" is above 5');
    assert.equal(await said('sum by (shard) (shard_length)', { min: 3 }), 'failed: 2 of shard="a" is below 3');
    assert.match(await said('shard_length', { max: 7, min: 2 }), /^ok: /);
  });

  it('are unknown without data, without a number, and where they give something else', async () => {
    assert.equal(await said('no_such_metric'), 'unknown: the query finds no data');
    assert.equal(await said('queue_length{app="other"}'), 'unknown: the query finds no data');
    assert.equal(await said('broken_value'), 'unknown: the query gives no number (NaN)');
    assert.match(await said('queue_length[1m]'), /^unknown: the query gives a matrix; it must give one value/);
    assert.match(await said('"text"'), /^unknown: the query gives a string; /);
  });

  it('that Prometheus cannot read are unknown, with its own words', async () => {
    assert.match(await said('sum(queue_length'), /^unknown: http:\S+ answered 400: .*parse error: unclosed left paren/);
    assert.match(await said('nonsense(queue_length)'), /answered 400: .*unknown function with name "nonsense"/);
    assert.match(await said('queue_length', {}, `${prometheus.address}/elsewhere`), /^unknown: .* answered 404/);
  });

  it('are unknown where nobody answers', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    assert.match(await said('queue_length', {}, nobody), /^unknown: http:\S+ does not answer: .*ECONNREFUSED/);
    assert.match(await said('queue_length', {}, 'http://no-such-host.invalid'), /does not answer: .*no-such-host/);
  });

  it('see new values, and none of what is no longer there', async () => {
    await prometheus.set({ queue_length: '9' });
    assert.equal(await said('queue_length'), 'failed: 9 is above 5');
    assert.equal(await said('shard_length'), 'unknown: the query finds no data');
  });
});
