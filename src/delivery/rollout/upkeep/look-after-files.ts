import type { NeededFiles } from '../../release/index.ts';
import { neededFiles } from './needed-files.ts';
import type { Parts } from '../parts.ts';

type Files = Pick<Parts, 'releases' | 'journal' | 'files' | 'locks' | 'asides' | 'log'>;

/** Before any engine starts instances: after a restart of the machine the memory is empty. */
export function fillFiles(parts: Files): void {
  const lost = parts.files.refill(neededNow(parts).placements);
  for (const version of lost) parts.log.error({ version }, 'a config or a secret of a live release cannot be opened');
}

/**
 * What nobody needs any more goes. Somebody may be about to freeze a release while anything is being rolled out, and
 * what leaves may still read its files: then nothing is done, and the answer is false.
 */
export function collectFiles(parts: Files): boolean {
  if (!parts.locks.isFree() || !parts.asides.isFree()) return false;
  const gone = parts.files.collect(neededNow(parts));
  if (gone.length > 0) parts.log.info({ versions: gone.length }, 'configs and secrets that nobody needs are removed');
  return true;
}

function neededNow({ releases, journal }: Files): NeededFiles {
  const unfinished = journal.unfinished();
  return neededFiles(
    releases.projects().map((project) => ({
      releases: releases.list(project),
      served: journal.served(project),
      standing: journal.standing(project),
      open: new Set(
        unfinished
          .filter((each) => each.project === project)
          .flatMap(({ from, to }) => [from, to].filter((n) => n !== undefined)),
      ),
    })),
  );
}
