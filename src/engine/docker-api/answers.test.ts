import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../lib/oci/index.ts';
import type { BuildEvent } from '../build/index.ts';
import type { LogBatch } from '../runtime/index.ts';
import { createQuietTranscript, createTranscript } from './build-progress.ts';
import { goFileMode } from './file-mode.ts';
import { parseFilters } from './filters.ts';
import { createEventHub, EVENT_FILTERS, eventMatches, eventText, type EngineEvent } from './engine-events.ts';
import { frameOf } from './frames.ts';
import { generateName } from './generated-names.ts';
import { humanDuration, statusText } from './human-status.ts';
import { logFrames } from './log-frames.ts';

describe('durations', () => {
  for (const [ms, text] of [
    [400, 'Less than a second'],
    [1_900, '1 second'],
    [59_000, '59 seconds'],
    [61_000, 'About a minute'],
    [10 * 60_000, '10 minutes'],
    [60 * 60_000, 'About an hour'],
    [5 * 3_600_000, '5 hours'],
    [72 * 3_600_000, '3 days'],
    [24 * 21 * 3_600_000, '3 weeks'],
    [24 * 90 * 3_600_000, '3 months'],
    [24 * 800 * 3_600_000, '2 years'],
  ] as const) {
    it(`of ${ms} ms read "${text}"`, () => assert.equal(humanDuration(ms), text));
  }
});

describe('the status in docker ps', () => {
  const now = new Date('2026-01-01T00:01:00Z');
  const base = { pid: 0, exitCode: 0, oomKilled: false, error: '', restartCount: 0 };
  const startedAt = new Date('2026-01-01T00:00:50Z');

  it('tells health and pause', () => {
    const health = { status: 'starting', failingStreak: 0, log: [] } as const;
    assert.equal(statusText({ ...base, status: 'running', startedAt }, now), 'Up 10 seconds');
    assert.equal(
      statusText({ ...base, status: 'running', startedAt, health }, now),
      'Up 10 seconds (health: starting)',
    );
    assert.equal(statusText({ ...base, status: 'paused', startedAt }, now), 'Up 10 seconds (Paused)');
  });

  it('tells the exit code', () => {
    const finishedAt = startedAt;
    assert.equal(
      statusText({ ...base, status: 'exited', exitCode: 3, startedAt, finishedAt }, now),
      'Exited (3) 10 seconds ago',
    );
    assert.equal(statusText({ ...base, status: 'created' }, now), 'Created');
  });
});

describe('events', () => {
  const attributes = { image: 'busybox:1', name: 'web', team: 'a' };

  it('are stamped in a strict order, however slow the clock', () => {
    const hub = createEventHub(() => 1_700_000_000_000, 2);
    for (const action of ['create', 'start', 'die'])
      hub.publish({ type: 'container', action, actorId: 'c', attributes });
    const past = hub.past();
    assert.deepEqual(
      past.map(({ action }) => action),
      ['start', 'die'],
    );
    assert.ok(past[0]!.atNs < past[1]!.atNs);
  });

  it('have Docker’s shape, with all digits of timeNano', () => {
    const event: EngineEvent = {
      type: 'container',
      action: 'start',
      actorId: 'c1',
      attributes,
      atNs: 1_700_000_000_123_456_789n,
    };
    assert.equal(
      eventText(event),
      '{"status":"start","id":"c1","from":"busybox:1","Type":"container","Action":"start","Actor":{"ID":"c1",' +
        '"Attributes":{"image":"busybox:1","name":"web","team":"a"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}\n',
    );
  });

  for (const [filters, matches] of [
    [{ container: ['web'] }, true],
    [{ container: ['db'] }, false],
    [{ event: ['exec_create'] }, true],
    [{ type: ['image'] }, false],
    [{ label: ['team=a'] }, true],
    [{ image: ['busybox'] }, true],
    [{ service: ['x'] }, false],
  ] as const) {
    it(`pass ${JSON.stringify(filters)}: ${matches}`, () => {
      const event: EngineEvent = { type: 'container', action: 'exec_create: ls', actorId: 'c1', attributes, atNs: 1n };
      assert.equal(eventMatches(event, parseFilters(JSON.stringify(filters), EVENT_FILTERS)), matches);
    });
  }
});

describe('a build’s transcript', () => {
  const started = (step: number): BuildEvent => ({
    kind: 'step-started',
    step,
    total: 3,
    text: `RUN ${step}`,
    stage: '0',
    line: step,
  });
  const done = (step: number, cached = false): BuildEvent => ({
    kind: 'step-done',
    step,
    cached,
    durationMs: 1,
    shortId: `id${step}`,
  });
  const output = (step: number, text: string): BuildEvent => ({
    kind: 'output',
    step,
    stream: 'stdout',
    data: Buffer.from(text),
  });
  const textOf = (events: readonly BuildEvent[], quiet = false): string => {
    const transcript = (quiet ? createQuietTranscript : createTranscript)(() => '0123456789ab');
    return events
      .flatMap((event) => transcript.take(event))
      .map((line) => ('stream' in line ? line.stream : ''))
      .join('');
  };

  it('is in the order of the Dockerfile though steps run side by side', () => {
    const events = [
      started(1),
      started(2),
      output(2, 'two\n'),
      output(1, 'one\n'),
      done(2),
      done(1, true),
      started(3),
      done(3),
    ];
    assert.equal(
      textOf(events),
      'Step 1/3 : RUN 1\n ---> Running in 0123456789ab\none\n ---> Using cache\n ---> id1\n' +
        'Step 2/3 : RUN 2\n ---> Running in 0123456789ab\ntwo\n ---> Removed intermediate container 0123456789ab\n ---> id2\n' +
        'Step 3/3 : RUN 3\n ---> Running in 0123456789ab\n ---> Removed intermediate container 0123456789ab\n ---> id3\n',
    );
  });

  it('loses nothing of a build that fails', () => {
    const transcript = createTranscript(() => '0123456789ab');
    for (const event of [started(1), started(2), output(2, 'why\n')]) transcript.take(event);
    const running = { stream: ' ---> Running in 0123456789ab\n' };
    assert.deepEqual(transcript.rest(), [running, { stream: 'Step 2/3 : RUN 2\n' }, running, { stream: 'why\n' }]);
  });

  it('is the digest alone when quiet', () => {
    const imageId = digestOf('x');
    assert.equal(textOf([started(1), done(1), { kind: 'built', imageId, tags: ['a:1'] }], true), `${imageId}\n`);
  });
});

it('frames tell stream and size', () => {
  assert.deepEqual([...frameOf('stderr', Buffer.from('ab'))], [2, 0, 0, 0, 0, 0, 0, 2, 97, 98]);
});

describe('lines of a log on the wire', () => {
  const batchOf = (zone: string, pieces: readonly (readonly [stream: number, data: string])[]): LogBatch => {
    const spans: number[] = [];
    let text = '';
    for (const [stream, data] of pieces) {
      const time = `2026-01-01T02:00:00.123456789${zone} x F `;
      spans.push(stream, text.length, text.length + time.length, text.length + time.length + data.length);
      text += time + data;
    }
    return { bytes: Buffer.from(text), spans };
  };
  const style = { tty: true, timestamps: false, details: undefined };

  it('are a frame each', () => {
    const wire = logFrames({ ...style, tty: false })(batchOf('+00:00', [[1, 'ab\n'], [2, 'c']])); // prettier-ignore
    assert.deepEqual([...wire], [1, 0, 0, 0, 0, 0, 0, 3, 97, 98, 10, 2, 0, 0, 0, 0, 0, 0, 1, 99]);
  });

  it('get one time each, also when they come in pieces', () => {
    const put = logFrames({ ...style, timestamps: true });
    const wire = ['a', 'b\n', 'c\n'].map((data) => put(batchOf('+00:00', [[1, data]])).toString()).join('');
    assert.equal(wire, '2026-01-01T02:00:00.123456789Z ab\n2026-01-01T02:00:00.123456789Z c\n');
  });

  it('have the time of Greenwich, wherever the machine is', () => {
    const wire = logFrames({ ...style, timestamps: true, details: 'a=b ' })(batchOf('+02:00', [[1, 'x\n']]));
    assert.equal(wire.toString(), '2026-01-01T00:00:00.123456789Z a=b x\n');
  });
});

it('file modes are Go’s', () => {
  assert.equal(goFileMode(0o040755), 2_147_484_141);
  assert.equal(goFileMode(0o100644), 0o644);
  assert.equal(goFileMode(0o120777), 2 ** 27 + 0o777);
});

it('generated names evade those that are taken', () => {
  const taken = new Set<string>();
  for (let count = 0; count < 50; count++) {
    const name = generateName(
      (candidate) => taken.has(candidate),
      (limit) => count % limit,
    );
    assert.ok(!taken.has(name));
    taken.add(name);
  }
});
