import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExecutionConfig } from '../../lib/oci/index.ts';
import { parseContainerConfig } from './create-request.ts';
import { mergeConfig } from './merge-config.ts';

const merge = (user: object, image: ExecutionConfig) => mergeConfig(parseContainerConfig(user), image);
const IMAGE: ExecutionConfig = { Entrypoint: ['/entry'], Cmd: ['serve'], User: 'app', WorkingDir: '/srv' };

describe('command and entrypoint', () => {
  const cases: readonly [what: string, user: object, entrypoint: string[] | null, cmd: string[] | null][] = [
    ['nothing given: the image’s', {}, ['/entry'], ['serve']],
    ['a command keeps the entrypoint', { Cmd: ['x'] }, ['/entry'], ['x']],
    ['an entrypoint drops the image’s command', { Entrypoint: ['/own'] }, ['/own'], null],
    ['an empty word drops the entrypoint', { Entrypoint: [''], Cmd: ['x'] }, null, ['x']],
    ['an empty list drops the entrypoint and keeps the command', { Entrypoint: [] }, [], ['serve']],
    ['a lone string is a list of one', { Entrypoint: '/own', Cmd: 'x' }, ['/own'], ['x']],
  ];
  for (const [what, user, entrypoint, cmd] of cases) {
    it(what, () => {
      const merged = merge(user, IMAGE);
      assert.deepEqual([merged.entrypoint, merged.cmd], [entrypoint, cmd]);
    });
  }

  it('are refused where neither side names one', () => {
    assert.throws(() => merge({}, {}), /No command specified/);
  });
});

describe('the other fields', () => {
  it('take the user’s value first', () => {
    const merged = merge({ User: 'root' }, IMAGE);
    assert.deepEqual([merged.user, merged.workingDir], ['root', '/srv']);
  });

  it('join maps and environments by key', () => {
    const merged = merge(
      { Env: ['A=user', 'PLAIN'], Labels: { a: '1' }, ExposedPorts: { '1/tcp': {} }, Volumes: { '/v': {} } },
      {
        ...IMAGE,
        Env: ['A=image', 'B=image'],
        Labels: { a: '0', b: '2' },
        ExposedPorts: { '2/tcp': {} },
        Volumes: { '/w': {} },
      },
    );
    assert.deepEqual(merged.env, ['A=user', 'PLAIN', 'B=image']);
    assert.deepEqual(merged.labels, { a: '1', b: '2' });
    assert.deepEqual(merged.exposedPorts, ['1/tcp', '2/tcp']);
    assert.deepEqual(merged.volumes, ['/v', '/w']);
  });

  it('fill a health check field by field', () => {
    const image = { ...IMAGE, Healthcheck: { Test: ['CMD', 'check'], Interval: 5e9, Retries: 3 } };
    assert.deepEqual(merge({ Healthcheck: { Interval: 1e9 } }, image).healthcheck, {
      Test: ['CMD', 'check'],
      Interval: 1e9,
      Retries: 3,
    });
  });
});
