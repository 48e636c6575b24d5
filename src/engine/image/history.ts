import type { Digest, HistoryEntry, ImageConfig } from '../../lib/oci/index.ts';
import type { HistoryRow } from './face.ts';

export interface HistoryImage {
  readonly id: Digest;
  readonly references: readonly string[];
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
  let image: HistoryImage | undefined = o.image;
  return rows.toReversed().map((row) => {
    const known: HistoryRow = image === undefined ? row : { ...row, id: image.id, references: image.references };
    image = image?.parent;
    return known;
  });
}

/** An image that tells no history has one unnamed step a layer. */
function stepsOf(config: ImageConfig): readonly HistoryEntry[] {
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
