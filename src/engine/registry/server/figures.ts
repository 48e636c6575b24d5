import type { Statements } from './statements.ts';

export interface CatalogueFigures {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly uploads: number;
  readonly blobs: number;
  /** Of them those that the engine's store has. */
  readonly sharedBlobs: number;
  /** Of those that the registry itself keeps. */
  readonly blobBytes: number;
}

/** How much there is. */
export function figuresOf(records: Statements): CatalogueFigures {
  const row = records.one(
    `SELECT (SELECT count(*) FROM repository) AS repositories, (SELECT count(*) FROM manifest) AS manifests,
         (SELECT count(*) FROM tag) AS tags, (SELECT count(*) FROM upload) AS uploads,
         (SELECT count(*) FROM blob) AS blobs, (SELECT count(*) FROM blob WHERE place = 'engine') AS shared_blobs,
         (SELECT coalesce(sum(size_bytes), 0) FROM blob WHERE place = 'own') AS blob_bytes`,
  );
  const number = (name: string): number => Number(row?.[name] ?? 0);
  return {
    repositories: number('repositories'),
    manifests: number('manifests'),
    tags: number('tags'),
    uploads: number('uploads'),
    blobs: number('blobs'),
    sharedBlobs: number('shared_blobs'),
    blobBytes: number('blob_bytes'),
  };
}
