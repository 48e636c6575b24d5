/** What somebody may do in a repository. */
export type Action = 'pull' | 'push' | 'delete';

export const ACTIONS: readonly Action[] = ['pull', 'push', 'delete'];

/** Gives a user, `*` for everybody with a password, or `anonymous`, some actions in the repositories that a pattern names. */
export interface RightsRule {
  readonly user: string;
  /** `*` stands for anything but `/`, `**` for anything. */
  readonly repositories: string;
  readonly actions: readonly Action[];
}

/** Who asks. */
export interface Principal {
  /** Undefined: nobody in particular. */
  readonly user: string | undefined;
  may(action: Action, repository: string): boolean;
}

export const ANONYMOUS = 'anonymous';

/**
 * Rights add up. Without rules everybody with a password may do everything.
 * @param anonymous what may be done without a password, in every repository
 */
export function principalOf(
  user: string | undefined,
  o: { readonly rules: readonly RightsRule[]; readonly anonymous: readonly Action[] },
): Principal {
  const mine = o.rules.filter((rule) => isMeant(rule, user));
  const matchers = mine.map(({ repositories, actions }) => ({ pattern: patternOf(repositories), actions }));
  const isFree = user !== undefined && o.rules.length === 0;
  return {
    user,
    may: (action, repository) =>
      isFree ||
      o.anonymous.includes(action) ||
      matchers.some(({ pattern, actions }) => actions.includes(action) && pattern.test(repository)),
  };
}

function isMeant(rule: RightsRule, user: string | undefined): boolean {
  if (rule.user === ANONYMOUS) return true; // whoever has a password may do what those may that have none
  return user !== undefined && (rule.user === '*' || rule.user === user);
}

function patternOf(text: string): RegExp {
  const escaped = text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
  const source = escaped.replaceAll(/\*\*?/g, (stars) => (stars === '**' ? '.*' : '[^/]*'));
  return new RegExp(`^${source}$`);
}
