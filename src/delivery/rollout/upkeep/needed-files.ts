import { placementsOf } from '../../fleet/index.ts';
import type { NeededFiles, Release } from '../../release/index.ts';
import { liveReleases, type Standing } from '../plan/standing.ts';

/** What decides which configs and secrets of a project are needed. */
export interface ProjectReleases {
  readonly releases: readonly Release[];
  /** Releases that have served: they alone can be rolled back to. */
  readonly served: ReadonlySet<number>;
  readonly standing: Standing;
  /** Releases of rollouts that have not ended. */
  readonly open: ReadonlySet<number>;
}

/**
 * Contents: of every release that lives, is being rolled out, or can be rolled back to. Placed for instances: of those
 * that live or are being rolled out. Pure.
 */
export function neededFiles(projects: readonly ProjectReleases[]): NeededFiles {
  const needed = projects.map(ofProject);
  return {
    versions: new Set(needed.flatMap(({ versions }) => versions)),
    placements: needed.flatMap(({ placements }) => placements),
  };
}

function ofProject({ releases, served, standing, open }: ProjectReleases) {
  const live = new Set([
    ...open,
    ...liveReleases(standing).flatMap(({ release, sets }) => [release, ...sets.map(({ origin }) => origin)]),
  ]);
  const kept = releases.filter(
    ({ number }) => live.has(number) || (served.has(number) && number >= standing.prunedBelow),
  );
  const running = kept.filter(({ number }) => live.has(number));
  return {
    versions: kept.flatMap(({ files }) => Object.values(files).map(({ version }) => version)),
    placements: running.flatMap((release) =>
      Object.keys(release.services).flatMap((service) => placementsOf(release, service)),
    ),
  };
}
