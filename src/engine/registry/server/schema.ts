import type { Schema } from '../../../lib/database.ts';

/** Times are milliseconds since 1970. */
export const CATALOGUE_SCHEMA: Schema = {
  room: 'registry',
  statements: [
    `CREATE TABLE repository (name TEXT PRIMARY KEY, created_at INTEGER NOT NULL) STRICT;
     CREATE TABLE blob (
       digest TEXT PRIMARY KEY,
       size_bytes INTEGER NOT NULL,
       place TEXT NOT NULL CHECK (place IN ('own', 'engine')),
       stored_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE blob_link (             -- which repository has which blob
       repository TEXT NOT NULL,
       digest TEXT NOT NULL,
       linked_at INTEGER NOT NULL,        -- or when a client was last told that it is there
       PRIMARY KEY (repository, digest)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX blob_link_digest ON blob_link (digest);
     CREATE TABLE manifest (
       repository TEXT NOT NULL,
       digest TEXT NOT NULL,
       media_type TEXT NOT NULL,
       bytes BLOB NOT NULL,
       subject TEXT,
       artifact_type TEXT,
       annotations TEXT,                  -- JSON
       stored_at INTEGER NOT NULL,
       PRIMARY KEY (repository, digest)
     ) STRICT;
     CREATE INDEX manifest_subject ON manifest (repository, subject) WHERE subject IS NOT NULL;
     CREATE TABLE manifest_names (        -- what a manifest names
       repository TEXT NOT NULL,
       digest TEXT NOT NULL,
       kind TEXT NOT NULL CHECK (kind IN ('blob', 'manifest')),
       named TEXT NOT NULL,
       PRIMARY KEY (repository, digest, kind, named),
       FOREIGN KEY (repository, digest) REFERENCES manifest (repository, digest) ON DELETE CASCADE
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX manifest_names_named ON manifest_names (repository, named, kind);
     CREATE TABLE tag (
       repository TEXT NOT NULL,
       name TEXT NOT NULL,
       digest TEXT NOT NULL,
       updated_at INTEGER NOT NULL,
       PRIMARY KEY (repository, name),
       FOREIGN KEY (repository, digest) REFERENCES manifest (repository, digest) ON DELETE CASCADE
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX tag_digest ON tag (repository, digest);
     CREATE TABLE upload (
       id TEXT PRIMARY KEY,
       repository TEXT NOT NULL,
       touched_at INTEGER NOT NULL
     ) STRICT;`,
  ],
};
