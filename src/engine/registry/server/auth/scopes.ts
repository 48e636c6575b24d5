import { isRepositoryName } from '../routes.ts';
import { ACTIONS, type Action, type Principal } from './rights.ts';

/** The `access` claim of a token, as Docker's registries understand it. */
export interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** Of one request for a token. */
const MOST_SCOPES = 100;
const SCOPE = /^(repository|registry)(?:\([^)]*\))?:(.+):([a-z*,]*)$/;

/** What a client asks for: `repository:team/app:pull,push`, several separated by blanks. What is no scope is left out. */
export function parseScopes(texts: readonly string[]): readonly Access[] {
  return texts
    .flatMap((text) => text.split(' '))
    .map((text) => SCOPE.exec(text))
    .filter((match) => match !== null)
    .filter(([, , name = '']) => isRepositoryName(name))
    .slice(0, MOST_SCOPES)
    .map(([, type = '', name = '', actions = '']) => ({ type, name, actions: actions.split(',').filter(Boolean) }));
}

/** What of it is given: the rest is left out, and the client meets the refusal where it needs it. */
export function grant(asked: readonly Access[], principal: Principal): readonly Access[] {
  return asked
    .map(({ type, name, actions }) => ({
      type,
      name,
      actions: type === 'registry' ? actions : wanted(actions).filter((action) => principal.may(action, name)),
    }))
    .filter(({ actions }) => actions.length > 0);
}

function wanted(actions: readonly string[]): readonly Action[] {
  return actions.includes('*') ? ACTIONS : ACTIONS.filter((action) => actions.includes(action));
}

/** Whoever holds a token may do what stands in it. */
export function principalOfAccess(user: string | undefined, access: readonly Access[]): Principal {
  return {
    user,
    may: (action, repository) =>
      access.some(
        ({ type, name, actions }) =>
          type === 'repository' && name === repository && (actions.includes(action) || actions.includes('*')),
      ),
  };
}

/** @param body of a token that was verified */
export function accessOfClaims(body: Readonly<Record<string, unknown>>): readonly Access[] {
  const { access } = body;
  return Array.isArray(access) ? access.filter(isAccess) : [];
}

function isAccess(value: unknown): value is Access {
  const { type, name, actions } = (value ?? {}) as Partial<Access>;
  return typeof type === 'string' && typeof name === 'string' && Array.isArray(actions);
}
