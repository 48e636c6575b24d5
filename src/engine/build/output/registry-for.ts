import { UserError } from '../../../lib/errors.ts';
import type { BuildRegistry } from '../face.ts';

/** @throws UserError `registry-missing` where this builder reaches none */
export function registryFor(
  { registry }: { readonly registry: BuildRegistry | undefined },
  reference: string,
): BuildRegistry {
  if (registry !== undefined) return registry;
  throw new UserError({
    code: 'registry-missing',
    kind: 'unsupported',
    message: `${reference} is in a registry, and this builder reaches none`,
    fix: 'Use a folder instead.',
  });
}
