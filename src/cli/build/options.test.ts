import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  parseBuildArg,
  parseCacheFrom,
  parseCacheTo,
  parseOutput,
  parseSecret,
  parseSize,
  parseSsh,
} from './options.ts';

describe('options of image build', () => {
  it('reads outputs', () => {
    assert.deepEqual(parseOutput('out'), [{ kind: 'local', dest: 'out' }]);
    assert.deepEqual(parseOutput('-'), [{ kind: 'tar', dest: '-' }]);
    assert.deepEqual(parseOutput('type=oci,dest=a.tar,"name=a:1,b:2"'), [
      { kind: 'oci', dest: 'a.tar', isTar: true, tags: ['a:1', 'b:2'] },
    ]);
    assert.deepEqual(parseOutput('type=oci,tar=false,"dest=a,b"'), [
      { kind: 'oci', dest: 'a,b', isTar: false, tags: undefined },
    ]);
    assert.deepEqual(parseOutput('type=docker'), [{ kind: 'image', tags: undefined }]);
    assert.deepEqual(parseOutput('type=image,push=true,name=r.io/a'), parseOutput('type=registry,name=r.io/a'));
    assert.equal(parseOutput('type=tar,dest=x', parseOutput('type=image')).length, 2);
    for (const wrong of [
      'type=nothing',
      'type=local',
      'type=oci,colour=red',
      'type=local,dest=a,push=true',
      'dest=a,dest=b',
    ])
      assert.throws(() => parseOutput(wrong), wrong);
  });

  it('reads secrets, agents, arguments, caches and sizes', () => {
    assert.deepEqual(parseSecret('id=a,src=/f'), [{ id: 'a', source: { kind: 'file', name: '/f' } }]);
    assert.deepEqual(parseSecret('type=env,id=a,env=B'), [{ id: 'a', source: { kind: 'env', name: 'B' } }]);
    assert.deepEqual(parseSecret('id=a'), [{ id: 'a', source: { kind: 'either', name: 'a' } }]);
    assert.throws(() => parseSecret('src=/f'));
    assert.deepEqual(parseSsh('x=/s', parseSsh('default')), { default: undefined, x: '/s' });
    assert.deepEqual(parseBuildArg('A=b=c', parseBuildArg('D')), { D: undefined, A: 'b=c' });
    assert.deepEqual(parseCacheTo('type=local,dest=/c,mode=max'), [
      { kind: 'local', path: '/c', tag: undefined, mode: 'max' },
    ]);
    const inRegistry = { kind: 'registry', reference: 'r.io/a:cache', mode: 'min' };
    assert.deepEqual(parseCacheTo('type=registry,ref=r.io/a:cache'), [inRegistry]);
    assert.deepEqual(parseCacheFrom('r.io/a:cache'), [inRegistry]);
    for (const wrong of ['type=inline', 'type=registry', 'type=registry,ref=a,mode=some'])
      assert.throws(() => parseCacheTo(wrong), wrong);
    assert.deepEqual([parseSize('64m'), parseSize('1gb'), parseSize('10')], [64 * 2 ** 20, 2 ** 30, 10]);
    assert.throws(() => parseSize('much'));
  });
});
