import type { Fleet } from '../../fleet/index.ts';
import type { TcpTarget } from '../../traffic/index.ts';
import type { TcpShare, TcpSide } from '../plan/step.ts';

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

/** The instances of one side that have an address now. */
export async function targetsOf(
  fleet: Pick<Fleet, 'inspect'>,
  { instances, network }: TcpSide,
  port: number,
): Promise<readonly TcpTarget[]> {
  const seen = await Promise.all(instances.map((name) => fleet.inspect(name)));
  return seen.flatMap((instance) => {
    const address = network === undefined ? '127.0.0.1' : instance?.addresses[network];
    return address === undefined ? [] : [{ address, port }];
  });
}

/** Each side's share is spread evenly over those of its instances that have an address now. */
export async function targetsOfShares(
  fleet: Pick<Fleet, 'inspect'>,
  shares: readonly TcpShare[],
  port: number,
): Promise<readonly TcpTarget[]> {
  const sides = await Promise.all(
    shares
      .filter(({ weight }) => weight > 0)
      .map(async (side) => ({ weight: side.weight, targets: await targetsOf(fleet, side, port) })),
  );
  return weighedTargets(sides);
}
