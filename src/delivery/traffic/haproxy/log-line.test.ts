import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { droppedIn, LOG_FORMAT, lossOf, parseLogLine } from './log-line.ts';

/** One line as HAProxy 2.6 writes it. */
function line(
  o: Partial<
    Record<'lane' | 'server' | 'state' | 'status' | 'answered' | 'flags' | 'by' | 'path' | 'bucket' | 'isNew', string>
  >,
): string {
  const { lane = 'lane-003', server = 'web-1', state = '--', status = '200', flags = 'o', by = '-' } = o;
  const times = ['1795261055879123', '1795261055848123', o.answered ?? '1795261055863373'];
  const head = [...times, lane, server, state, status, '210', '1200', flags, by, 'shop/web/80', 'GET'];
  return [
    ...head,
    o.bucket ?? '-',
    o.isNew ?? '-',
    '192.0.2.7',
    '1.1',
    'id-1',
    'example.org',
    o.path ?? '\\/a?b=1',
    'agent \\"x\\"',
    '-',
  ].join('\t');
}

describe('a line of the proxy’s log', () => {
  it('has as many fields as the format', () => {
    assert.equal(line({}).split('\t').length, LOG_FORMAT.split('\\t').length);
  });

  it('becomes a sample', () => {
    assert.deepEqual(parseLogLine(line({})), {
      isObserved: true,
      sample: {
        atMs: 1_795_261_055_879,
        route: 'shop/web/80',
        lane: 'lane-003',
        chosenBy: 'weight',
        status: 200,
        responseMs: 15.25,
        totalMs: 31,
        appError: false,
        method: 'GET',
      },
    });
    for (const by of ['cohort', 'preview', 'client', 'probe', 'weight'])
      assert.equal(parseLogLine(line({ by }))?.sample.chosenBy, by);
  });

  it('knows the bucket of a client that the weight sent to its side', () => {
    const known = parseLogLine(line({ bucket: '0' }))?.sample;
    assert.deepEqual([known?.client, known?.isNewClient], [0, undefined]);
    const fresh = parseLogLine(line({ bucket: '9999', isNew: '1' }))?.sample;
    assert.deepEqual([fresh?.client, fresh?.isNewClient], [9_999, true]);
    assert.equal(parseLogLine(line({}))?.sample.client, undefined);
  });

  it('becomes a line of the access log too, when the route has one', () => {
    const { access, isObserved } = parseLogLine(line({ flags: 'ai' })) ?? {};
    assert.equal(isObserved, false);
    assert.deepEqual(access, {
      instance: 'web-1',
      client: '192.0.2.7',
      protocol: 'HTTP/1.1',
      bytesIn: 210,
      bytesOut: 1_200,
      id: 'id-1',
      host: 'example.org',
      path: '/a?b=1',
      userAgent: 'agent "x"',
    });
    assert.equal(parseLogLine(line({ flags: 'a', path: '\\/cut\\u00' }))?.access?.path, '\\/cut\\u00');
  });

  it('is nothing for a route without either, nor what is no request of ours', () => {
    assert.equal(parseLogLine(line({ flags: '-' })), undefined);
    assert.equal(parseLogLine(line({ lane: 'http', server: '<NOSRV>', state: 'PR' })), undefined);
    assert.equal(parseLogLine(''), undefined);
    assert.equal(parseLogLine('12 events dropped'), undefined);
    assert.equal(droppedIn('12 events dropped'), 12);
    assert.equal(droppedIn(line({})), undefined);
  });

  it('tells who made an error', () => {
    const sample = (o: Parameters<typeof line>[0]) => parseLogLine(line(o))?.sample;
    assert.deepEqual(pick(sample({ status: '500' })), [true, undefined]);
    assert.deepEqual(pick(sample({ status: '503', state: 'SC', answered: '-' })), [false, 'refused']);
    assert.deepEqual(pick(sample({ status: '500', state: 'SD' })), [true, 'truncated']);
    assert.equal(sample({ status: '504', state: 'sH', answered: '-' })?.responseMs, -1);
  });

  it('is read at a rate far above what a machine serves', (t) => {
    const text = line({});
    const started = performance.now();
    for (let count = 0; count < 200_000; count++) parseLogLine(text);
    const perSecond = 200_000 / ((performance.now() - started) / 1_000);
    t.diagnostic(`${Math.round(perSecond)} lines/s`);
    assert.ok(perSecond > 50_000, `${perSecond}`);
  });
});

describe('what was lost', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['--', undefined],
    ['CD', undefined],
    ['cD', undefined],
    ['CH', undefined],
    ['CC', undefined],
    ['LR', undefined],
    ['PR', undefined],
    ['SC', 'refused'],
    ['sC', 'refused'],
    ['RC', 'proxy-error'],
    ['SH', 'reset'],
    ['KH', 'reset'],
    ['sH', 'proxy-error'],
    ['PH', 'proxy-error'],
    ['SD', 'truncated'],
    ['sD', 'truncated'],
    ['KD', undefined],
    ['PD', 'truncated'],
    ['SL', 'truncated'],
    ['sQ', 'proxy-error'],
    ['IH', 'proxy-error'],
  ];
  for (const [state, loss] of cases) {
    it(`${state} is ${loss ?? 'nothing'}`, () => assert.equal(lossOf({ state, server: 'web-1', status: 200 }), loss));
  }

  it('is a proxy error where there was no instance to ask, and nothing where an idle tunnel ends', () => {
    assert.equal(lossOf({ state: 'SC', server: '<NOSRV>', status: 503 }), 'proxy-error');
    assert.equal(lossOf({ state: 'sD', server: 'web-1', status: 101 }), undefined);
  });
});

function pick(sample: { appError: boolean; loss?: string } | undefined): readonly unknown[] {
  return [sample?.appError, sample?.loss];
}
