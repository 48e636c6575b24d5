import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACTIONS, principalOf, type Action, type RightsRule } from './rights.ts';
import { grant, parseScopes, principalOfAccess } from './scopes.ts';

const RULES: readonly RightsRule[] = [
  { user: 'anonymous', repositories: 'public/**', actions: ['pull'] },
  { user: '*', repositories: 'team/*', actions: ['pull'] },
  { user: 'ci', repositories: 'team/**', actions: ['pull', 'push'] },
  { user: 'root', repositories: '**', actions: ['pull', 'push', 'delete'] },
];

function rightsOf(user: string | undefined, repository: string, rules = RULES, anonymous: Action[] = []): string {
  const principal = principalOf(user, { rules, anonymous });
  return ACTIONS.filter((action) => principal.may(action, repository)).join(' ');
}

describe('rights', () => {
  it('are those of all rules that mean the user and the repository', () => {
    assert.equal(rightsOf(undefined, 'public/a/b'), 'pull');
    assert.equal(rightsOf(undefined, 'team/app'), '');
    assert.equal(rightsOf('somebody', 'public/a'), 'pull');
    assert.equal(rightsOf('somebody', 'team/app'), 'pull');
    assert.equal(rightsOf('somebody', 'team/app/part'), '');
    assert.equal(rightsOf('ci', 'team/app/part'), 'pull push');
    assert.equal(rightsOf('ci', 'other'), '');
    assert.equal(rightsOf('root', 'any/thing'), 'pull push delete');
  });

  it('are all without rules, for who has a password', () => {
    assert.equal(rightsOf('somebody', 'a', []), 'pull push delete');
    assert.equal(rightsOf(undefined, 'a', []), '');
    assert.equal(rightsOf(undefined, 'a', [], ['pull']), 'pull');
  });

  it('take no letter of a pattern for an expression', () => {
    const rules: RightsRule[] = [{ user: 'u', repositories: 'a.b/*', actions: ['pull'] }];
    assert.equal(rightsOf('u', 'a.b/c', rules), 'pull');
    assert.equal(rightsOf('u', 'axb/c', rules), '');
  });
});

describe('scopes of tokens', () => {
  it('are granted as far as the rights go', () => {
    const asked = parseScopes([
      'repository:team/app:pull,push repository:team/app/part:pull',
      'repository:x:*',
      'nonsense',
    ]);
    assert.deepEqual(grant(asked, principalOf('ci', { rules: RULES, anonymous: [] })), [
      { type: 'repository', name: 'team/app', actions: ['pull', 'push'] },
      { type: 'repository', name: 'team/app/part', actions: ['pull'] },
    ]);
  });

  it('let their holder do what they say', () => {
    const principal = principalOfAccess('ci', [{ type: 'repository', name: 'a', actions: ['pull'] }]);
    assert.deepEqual(
      ['a', 'b'].map((name) => principal.may('pull', name)),
      [true, false],
    );
    assert.equal(principal.may('push', 'a'), false);
  });
});
