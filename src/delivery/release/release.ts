import type { Project } from '../compose/index.ts';

/** What was deployed, frozen: stored before anything of it starts, never edited. */
export interface Release {
  readonly project: string;
  /** Counts from 1 in each project. */
  readonly number: number;
  readonly createdAt: Date;
  readonly author: string;
  /** Commit or other name of the source, as the caller gave it. */
  readonly sourceRevision?: string;
  /** The release that was current when this one was made. */
  readonly predecessor?: number;
  /** The Compose model as it was; contents of configs and secrets are not in it, see `files`. */
  readonly model: Project;
  readonly services: Readonly<Record<string, ReleasedService>>;
  /** Configs and secrets by `configs/<key>` and `secrets/<key>`. */
  readonly files: Readonly<Record<string, FileVersion>>;
}

export interface ReleasedService {
  readonly name: string;
  /** Image identifier, `sha256:…`: what instances are created from. */
  readonly imageId: string;
  /** What the Compose file calls it, or what was built. */
  readonly imageSource: string;
  /** `name@sha256:…` as its registry knows it. */
  readonly repoDigest?: string;
  /** Hash of the image, the configuration, and the identities of the stateless services it depends on. */
  readonly identity: string;
  /** Hash of its own image and configuration alone: what makes a stateful service be replaced. */
  readonly ownIdentity: string;
  readonly stateful: boolean;
  readonly replicas: number;
  /** Runs to its end and is not kept running: a dependency that must complete successfully. */
  readonly job: boolean;
}

/** One content of a config or a secret. The content lies outside of the database, sealed. */
export interface FileVersion {
  /** Hexadecimal; the same content, the same version. Of a secret only who has the root's key can tell which. */
  readonly version: string;
  readonly kind: 'config' | 'secret';
}

/** A release before it has a number. */
export type NewRelease = Omit<Release, 'number' | 'createdAt'>;

/**
 * `current` serves, `candidate` is being started, `warm` still runs and can be switched back to at once, `kept` can be started again from its
 * frozen images, `failed` never served, `gone` has lost its images: it lies beyond the rollback window.
 */
export type ReleaseState = 'current' | 'warm' | 'candidate' | 'kept' | 'failed' | 'gone';

export interface Releases {
  /** Stores a release under the next number of its project. */
  create(release: NewRelease, now: Date): Release;
  /** The number that the next release of this project gets. */
  nextNumber(project: string): number;
  /** Newest first. */
  list(project: string): readonly Release[];
  find(project: string, number: number): Release | undefined;
  /** @throws UserError `release-not-found` */
  get(project: string, number: number): Release;
  /** Projects that have a release, in alphabetical order. */
  projects(): readonly string[];
}
