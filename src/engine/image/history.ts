import type { Digest, HistoryEntry, ImageConfig } from '../../lib/oci/index.ts';
import type { HistoryRow } from './face.ts';

export interface HistoryImage {
  readonly id: Digest;
  readonly references: readonly string[];
  /** Number of its steps, those of the images below it included. */
  readonly steps: number;
  readonly parent: HistoryImage | undefined;
}

/** The rows of `docker history`, newest first: the image's own steps, with the images after each where they are known. */
export function historyOf(
  config: ImageConfig,
  o: { image: HistoryImage; layerSizes: readonly number[] },
): readonly HistoryRow[] {
  const sizes = [...o.layerSizes];
  const entries = stepsOf(config);
  const rows = entries.map((entry) => rowOf(entry, entry.empty_layer === true ? 0 : (sizes.shift() ?? 0)));
  const known = new Map<number, HistoryImage>();
  for (let image: HistoryImage | undefined = o.image.parent; image !== undefined; image = image.parent)
    known.set(image.steps, image);
  known.set(rows.length, o.image);
  return rows
    .map((row, index) => {
      const image = known.get(index + 1);
      return image === undefined ? row : { ...row, id: image.id, references: image.references };
    })
    .toReversed();
}

/** An image that tells no history has one unnamed step a layer. */
export function stepsOf(config: ImageConfig): readonly HistoryEntry[] {
  if ((config.history?.length ?? 0) > 0) return config.history!;
  return config.rootfs.diff_ids.map(() => ({}));
}

function rowOf(entry: HistoryEntry, sizeBytes: number): HistoryRow {
  return {
    id: '<missing>',
    createdAt: new Date(entry.created ?? 0),
    createdBy: entry.created_by ?? '',
    references: [],
    sizeBytes,
    comment: entry.comment ?? '',
  };
}
