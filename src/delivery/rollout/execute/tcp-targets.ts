import type { TcpTarget } from '../../traffic/index.ts';

const WHOLE = 10_000;

/**
 * Basis points for each target: each side's share in equal parts. Sides without targets give theirs to the others;
 * what does not divide goes to the first, so that the sum is whole.
 */
export function weighedTargets(
  sides: readonly { readonly weight: number; readonly targets: readonly TcpTarget[] }[],
): readonly TcpTarget[] {
  const present = sides.filter(({ targets, weight }) => targets.length > 0 && weight > 0);
  const sum = present.reduce((total, { weight }) => total + weight, 0);
  const shares = present.flatMap(({ weight, targets }) => {
    const each = Math.floor((WHOLE * weight) / sum / targets.length);
    return targets.map((target) => ({ ...target, weight: each }));
  });
  const rest = WHOLE - shares.reduce((total, { weight }) => total + weight, 0);
  return shares.map((target, index) => (index === 0 ? { ...target, weight: target.weight + rest } : target));
}
