import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collectImage, collectReplicas, parseMoment, parseWeight } from './arguments.ts';

describe('moments', () => {
  const now = new Date('2026-05-01T12:00:00Z');

  it('are times, or how long ago', () => {
    const moments = ['2026-05-01T11:00:00Z', '2026-05-01', '10m', '1h30m', '0'].map((text) => parseMoment(text, now));
    assert.deepEqual(
      moments.map((moment) => moment.toISOString().slice(0, 16)),
      ['2026-05-01T11:00', '2026-05-01T00:00', '2026-05-01T11:50', '2026-05-01T10:30', '2026-05-01T12:00'],
    );
  });

  it('are not anything else', () => {
    for (const text of ['rubbish', '', '10', '-1m', '2026-13-77', '9999999999999h'])
      assert.throws(() => parseMoment(text, now), /must be a time/, text);
  });
});

describe('shares of the traffic', () => {
  it('are percentages, with or without the sign', () => {
    assert.deepEqual(
      ['0', '25', '25%', '25 %', '0.5%', '12.25', '100%'].map(parseWeight),
      [0, 2500, 2500, 2500, 50, 1225, 10_000],
    );
  });

  it('are not anything else', () => {
    for (const text of ['', '%', '101', '100.01', '-1', '1e1', '0.001', 'half', '25%%', '2,5'])
      assert.throws(() => parseWeight(text), /percentage from 0 to 100/, text);
  });
});

describe('assignments to services', () => {
  it('keep what stands behind the first equals sign', () => {
    assert.deepEqual(collectImage('api=b', collectImage('web=host:5000/shop@sha256:0=', undefined)), {
      web: 'host:5000/shop@sha256:0=',
      api: 'b',
    });
    assert.deepEqual(collectReplicas('api=0', collectReplicas('web=3', undefined)), { web: 3, api: 0 });
  });

  it('say what they should look like', () => {
    for (const text of ['web', '=x', 'web=']) assert.throws(() => collectImage(text, undefined), /SERVICE=IMAGE/, text);
    for (const text of ['web', 'web=x', 'web=-1', 'web=1.5'])
      assert.throws(() => collectReplicas(text, undefined), /such as web=3/, text);
    assert.throws(() => collectImage('web=b', { web: 'a' }), /given twice/);
  });
});
