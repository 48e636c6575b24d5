import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkSame, planVolume } from './plan.ts';

const world = { newName: 'f'.repeat(64), now: new Date(0) };

describe('the plan of a volume', () => {
  it('makes up a name for an anonymous one', () => {
    const volume = planVolume({}, world);
    assert.equal(volume.name, world.newName);
    assert.equal(volume.anonymous, true);
    assert.equal(planVolume({ name: 'data' }, world).anonymous, false);
  });

  it('refuses names that could leave the folder, in the words of Docker', () => {
    for (const name of ['../x', '/abs', 'a b', '.hidden', 'x', 'a/b'])
      assert.throws(() => planVolume({ name }, world), { code: 'volume-invalid' }, name);
  });

  it('refuses other drivers and driver options', () => {
    assert.throws(() => planVolume({ name: 'data', driver: 'nfs' }, world), { code: 'volume-driver-unknown' });
    const optionsOf = (options: Record<string, string>) => planVolume({ name: 'data', options }, world).options;
    assert.deepEqual(optionsOf({ type: 'tmpfs', device: 'tmpfs' }), { type: 'tmpfs', device: 'tmpfs' });
    for (const [options, message] of [
      [{ foo: '1' }, 'create data: invalid option: "foo"'],
      [{ type: 'tmpfs' }, 'create data: missing required option: "device"'],
      [{ o: 'bind', device: '/x' }, 'create data: missing required option: "type"'],
    ] as const)
      assert.throws(() => optionsOf({ ...options }), { code: 'volume-invalid', message });
  });

  it('gives back what is there, but not with other options', () => {
    const known = { ...planVolume({ name: 'data', labels: { a: '1' } }, world), mountpoint: '/x' };
    assert.equal(checkSame(known, { name: 'data' }), known);
    assert.throws(() => checkSame(known, { name: 'data', options: { o: 'size=1' } }), { code: 'volume-conflict' });
  });
});
