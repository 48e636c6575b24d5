import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBuildArg, parseCacheTo, parseOutput, parseSecret, parseSize, parseSsh } from './options.ts';

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
    assert.equal(parseOutput('type=tar,dest=x', parseOutput('type=image')).length, 2);
    for (const wrong of ['type=nothing', 'type=local', 'type=oci,colour=red', 'type=image,push=true', 'dest=a,dest=b'])
      assert.throws(() => parseOutput(wrong), wrong);
  });

  it('reads secrets, agents, arguments, caches and sizes', () => {
    assert.deepEqual(parseSecret('id=a,src=/f'), [{ id: 'a', source: { kind: 'file', name: '/f' } }]);
    assert.deepEqual(parseSecret('type=env,id=a,env=B'), [{ id: 'a', source: { kind: 'env', name: 'B' } }]);
    assert.deepEqual(parseSecret('id=a'), [{ id: 'a', source: { kind: 'either', name: 'a' } }]);
    assert.throws(() => parseSecret('src=/f'));
    assert.deepEqual(parseSsh('x=/s', parseSsh('default')), { default: undefined, x: '/s' });
    assert.deepEqual(parseBuildArg('A=b=c', parseBuildArg('D')), { D: undefined, A: 'b=c' });
    assert.deepEqual(parseCacheTo('type=local,dest=/c,mode=max'), [{ path: '/c', tag: undefined, mode: 'max' }]);
    assert.throws(() => parseCacheTo('type=registry,ref=x'));
    assert.deepEqual([parseSize('64m'), parseSize('1gb'), parseSize('10')], [64 * 2 ** 20, 2 ** 30, 10]);
    assert.throws(() => parseSize('much'));
  });
});
