import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyChanges } from './config-changes.ts';
import { parseFilters } from './filters.ts';
import { matchesGlob, matchesPattern, untilOf } from './matching.ts';
import { parsePorts } from './network-spec.ts';
import { flagOf, momentOf } from './query.ts';
import { compareVersions, createRouter, splitVersion } from './router.ts';
import { checkApiVersion } from './versions.ts';

describe('routes', () => {
  const router = createRouter([
    { method: 'GET', pattern: '/images/json', handle: () => {} },
    { method: 'GET', pattern: '/images/{name*}/json', handle: () => {} },
    { method: 'GET', pattern: '/containers/{id}/json', handle: () => {} },
  ]);

  it('take image names with slashes and escapes', () => {
    assert.deepEqual(router('GET', '/images/localhost:5000/a%2Fb:1/json')?.params, { name: 'localhost:5000/a/b:1' });
    assert.deepEqual(router('GET', '/images/json')?.params, {});
  });

  it('know nothing else', () => {
    assert.equal(router('POST', '/images/json'), undefined);
    assert.equal(router('GET', '/containers/a/b/json'), undefined);
  });

  it('have versions before them', () => {
    assert.deepEqual(splitVersion('/v1.41/info'), { version: '1.41', path: '/info' });
    assert.deepEqual(splitVersion('/info'), { version: undefined, path: '/info' });
    assert.ok(compareVersions('1.9', '1.24') < 0);
    assert.throws(() => checkApiVersion('1.99'), /too new. Maximum supported API version is 1.51/);
    assert.throws(() => checkApiVersion('1.12'), /too old/);
  });
});

describe('filters', () => {
  it('come as lists or as maps', () => {
    for (const text of ['{"label":["a=b","c"]}', '{"label":{"a=b":true,"c":true}}']) {
      const filters = parseFilters(text, ['label']);
      assert.ok(filters.matchLabels({ a: 'b', c: '' }));
      assert.ok(!filters.matchLabels({ a: 'b' }));
    }
  });

  it('that are unknown or broken are refused', () => {
    assert.throws(() => parseFilters('{"foo":["x"]}', ['label']), /invalid filter 'foo'/);
    assert.throws(() => parseFilters('xx', []), /^UserError: invalid filter$/);
  });

  it('exclude labels with label!', () => {
    const filters = parseFilters('{"label!":["keep"]}', ['label!']);
    assert.deepEqual([filters.matchLabels({}), filters.matchLabels({ keep: 'x' })], [true, false]);
  });

  it('match names as Docker does', () => {
    assert.deepEqual(
      [matchesPattern('web-1', 'web'), matchesPattern('web-1', '^eb'), matchesPattern('a(b', 'a(b')],
      [true, false, true],
    );
    assert.deepEqual(
      [matchesGlob('a/b', 'a/*'), matchesGlob('a/b', '*'), matchesGlob('a.b', 'a?b')],
      [true, false, true],
    );
  });

  it('read until as a duration or a time', () => {
    const now = new Date('2026-01-02T00:00:00Z');
    const until = (value: string) => untilOf(parseFilters(JSON.stringify({ until: [value] }), ['until']), now);
    assert.equal(until('24h')?.toISOString(), '2026-01-01T00:00:00.000Z');
    assert.equal(until('2026-01-01T10:00:00Z')?.toISOString(), '2026-01-01T10:00:00.000Z');
    assert.throws(() => until('soon'), /failed to parse value as time or duration: "soon"/);
  });
});

describe('parameters', () => {
  it('are true unless they say no', () => {
    const query = new URLSearchParams('a=1&b=0&c=True&d=&e=none');
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => flagOf(query, name)),
      [true, false, true, false, false, false],
    );
  });

  it('give moments with fractions', () => {
    assert.equal(momentOf(new URLSearchParams('since=1700000000.250000000'), 'since')?.getTime(), 1_700_000_000_250);
    assert.throws(() => momentOf(new URLSearchParams('since=x'), 'since'), /not a time/);
  });

  it('give ports', () => {
    assert.deepEqual(parsePorts('80'), [{ containerPort: 80, protocol: 'tcp' }]);
    assert.equal(parsePorts('8000-8002/udp').length, 3);
    for (const text of ['0', '70000', '90-80', 'x', '80/icmp', '80/sctp']) assert.throws(() => parsePorts(text));
  });
});

describe('changes of docker commit and import', () => {
  it('are laid over a configuration', () => {
    assert.deepEqual(
      applyChanges({ Env: ['A=0', 'B=0'] }, [
        'CMD ["a","b c"]',
        'ENTRYPOINT run it',
        'ENV A=1 C="two words"',
        'LABEL old style',
        'EXPOSE 80 53/udp',
        'USER app',
        'WORKDIR /srv',
      ]),
      {
        Env: ['B=0', 'A=1', 'C=two words'],
        Cmd: ['a', 'b c'],
        Entrypoint: ['/bin/sh', '-c', 'run it'],
        Labels: { old: 'style' },
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        User: 'app',
        WorkingDir: '/srv',
      },
    );
  });

  it('refuse instructions that make no sense there', () => {
    assert.throws(() => applyChanges({}, ['COPY a b']), /COPY is not a valid change command/);
  });
});
