import assert from 'node:assert/strict';
import { it } from 'node:test';
import { askedEngineOf } from './session.ts';

it('takes the engine of the command line before that of the environment; an empty variable asks for nothing', () => {
  const environment = { BASCULE_ENGINE: 'unix:///b' };
  assert.deepEqual(askedEngineOf({ engine: '/a' }, environment), { value: '/a', source: '--engine' });
  assert.deepEqual(askedEngineOf({}, environment), { value: 'unix:///b', source: 'BASCULE_ENGINE' });
  assert.equal(askedEngineOf({}, { BASCULE_ENGINE: '' }), undefined);
  assert.equal(askedEngineOf({}, {}), undefined);
});
