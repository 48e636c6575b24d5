import type { Draft } from './draft.ts';

/** What the user should know before it happens. */
export function warningsOf({ scene, predecessors, sets }: Draft): readonly string[] {
  const isFirst = scene.standing.current === undefined;
  const others = isFirst ? '' : ' The releases that are alive use the new one from then on.';
  const stateful = [...predecessors.keys()].map(
    (service) =>
      `${service} has a volume and is replaced (${sets.get(service)!.cause}): it is stopped, then started again on the same volume. It does not answer in between.${others}`,
  );
  const fixed = Object.entries(scene.target.model.networks)
    .filter(([, network]) => network.ipam.config?.some(({ subnet }) => subnet !== undefined))
    .map(
      ([key]) =>
        `networks.${key}.ipam: the subnet is not used: each release has a network of its own, and two of them cannot have the same addresses.`,
    );
  return [...stateful, ...fixed, ...(scene.certificates?.warnings ?? [])];
}
