import type { Scope } from '../../../lib/scope.ts';

/** The label that says which daemon made an object. */
export type Owner = Readonly<{ 'bascule.scope': string }>;

export function ownerOf({ suffix }: Pick<Scope, 'suffix'>): Owner {
  return { 'bascule.scope': suffix === '' ? 'default' : suffix };
}

/** As the engine's list filters want it. */
export function ownerFilter(owner: Owner): readonly string[] {
  return [`bascule.scope=${owner['bascule.scope']}`];
}

export function isOwn(labels: Readonly<Record<string, string>> | undefined, owner: Owner): boolean {
  return labels?.['bascule.scope'] === owner['bascule.scope'];
}
