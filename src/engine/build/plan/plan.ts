import type { Digest, ExecutionConfig, ImageConfig, Platform } from '../../../lib/oci/index.ts';
import type { IgnoreRules } from '../../../lib/dockerignore.ts';
import type { ModeChange } from '../dockerfile/mode.ts';
import type { Position, Source } from '../dockerfile/source.ts';
import type { CacheSharing, MountOwner } from '../dockerfile/statement.ts';

/** What a build does, decided before anything is touched: the stages that are needed, in an order that works. */
export interface BuildPlan {
  readonly stages: readonly StagePlan[];
  /** Index of the stage that becomes the image. */
  readonly target: number;
  readonly totalSteps: number;
  readonly warnings: readonly PlanWarning[];
  readonly source: Source;
}

export interface PlanWarning {
  readonly code: string;
  readonly message: string;
  readonly line: number;
}

export interface StagePlan {
  /** Place among all stages of the Dockerfile, from 0. */
  readonly index: number;
  /** Its name, else its index. */
  readonly name: string;
  readonly base: StageBase;
  /** Stages whose result this one reads. */
  readonly needs: readonly number[];
  readonly steps: readonly Step[];
  /** Execution parameters after the last step. */
  readonly config: ExecutionConfig;
  readonly author: string | undefined;
}

export type StageBase =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'image'; readonly image: BaseImage }
  | { readonly kind: 'stage'; readonly index: number };

/** An image as the planner needs it. */
export interface BaseImage {
  readonly id: Digest;
  readonly config: ImageConfig;
}

export interface Step {
  /** From 1, over all steps of the plan. */
  readonly number: number;
  /** The instruction on one line. */
  readonly text: string;
  readonly position: Position;
  /** `created_by` of the history entry, in BuildKit's form; undefined: no entry (FROM, ONBUILD). */
  readonly createdBy: string | undefined;
  readonly action: Action;
}

export type Action = { readonly kind: 'metadata' } | RunAction | CopyAction | WorkdirAction;

export interface RunAction {
  readonly kind: 'run';
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Passed to the process, but no part of the cache key (proxies). */
  readonly passingEnv: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
  readonly network: 'default' | 'none' | 'host';
  /** `insecure`: with all privileges, as `docker run --privileged`. */
  readonly security: 'sandbox' | 'insecure';
  readonly mounts: readonly PlannedMount[];
  /** A here-document with a `#!` line: it is put there as a file and started. */
  readonly script: { readonly path: string; readonly content: string } | undefined;
}

/** Where files are read from. */
export type Origin =
  | { readonly kind: 'context' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly image: BaseImage }
  /** A folder that the build was given under a name (`--build-context`). */
  | { readonly kind: 'named-context'; readonly name: string }
  | UrlOrigin
  | GitOrigin;

/** A file that ADD fetches: the root of the origin holds only this. */
export interface UrlOrigin {
  readonly kind: 'url';
  readonly url: string;
  /** Last part of the URL's path; empty where it has none. */
  readonly fileName: string;
  /** `sha256:…` */
  readonly checksum: string | undefined;
}

/** A repository that ADD clones: the root of the origin is the tree of `subdirectory`. */
export interface GitOrigin {
  readonly kind: 'git';
  /** As git takes it, without the fragment. */
  readonly remote: string;
  /** Branch, tag or commit; undefined: what the remote's HEAD names. */
  readonly ref: string | undefined;
  /** Relative; empty: all of it. */
  readonly subdirectory: string;
  /** First digits of the commit, at least 1. */
  readonly checksum: string | undefined;
  readonly keepsGitDirectory: boolean;
  readonly submodules: boolean;
}

export type PlannedMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      readonly source: string;
      readonly origin: Origin;
      /** Else what is written is thrown away after the step. */
      readonly readOnly: boolean;
    }
  | (MountOwner & {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly sharing: CacheSharing;
      readonly readOnly: boolean;
      /** What a new cache begins with; undefined: an empty folder with this owner and mode. */
      readonly seed: { readonly origin: Origin; readonly source: string } | undefined;
    })
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | undefined }
  | (MountOwner & {
      readonly type: 'secret';
      readonly id: string;
      /** Empty: only the variable. */
      readonly target: string;
      readonly env: string | undefined;
      readonly required: boolean;
    })
  | (MountOwner & {
      /** The socket of an SSH agent. */
      readonly type: 'ssh';
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
      /** `SSH_AUTH_SOCK` names this one: the first. */
      readonly isDefault: boolean;
    });

/** One source of a COPY or ADD, in the order written. */
export interface CopySource {
  readonly origin: Origin;
  /** Relative to the origin's root, with wildcards; `.` is all of it. */
  readonly path: string;
  /**
   * `--parents`: the folders of `path` below this one are made in the destination too (`x` of `x/./y/file`; empty: all).
   * Wildcards may then be `**`. Undefined: no parents are kept.
   */
  readonly parentsBelow: string | undefined;
  /** Tar archives are unpacked. */
  readonly unpacks: boolean;
}

export interface CopyAction {
  readonly kind: 'copy';
  readonly sources: readonly CopySource[];
  /** Here-documents: files that are in the Dockerfile itself. */
  readonly inlineFiles: readonly { readonly name: string; readonly content: string }[];
  /** Absolute, clean, without a slash at its end. */
  readonly destination: string;
  /** The destination is a folder whether it is there or not. */
  readonly intoDirectory: boolean;
  readonly chown: string | undefined;
  readonly chmod: ModeChange | undefined;
  /** Patterns of what is not copied (`--exclude`), as those of sources; relative to what a source names. */
  readonly excludes: readonly string[];
  /** `--link`: a layer of its own that does not see what was there before: no link of the destination is followed. */
  readonly isLinked: boolean;
}

export interface WorkdirAction {
  readonly kind: 'workdir';
  readonly path: string;
  /** Who owns the folder when it is made. */
  readonly user: string;
}

/** All that planning depends on. */
export interface PlanInput {
  readonly target: string | undefined;
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: Platform;
  readonly networkMode: 'default' | 'none' | 'host';
  /** Undefined where there is no such image. */
  findImage(name: string): BaseImage | undefined;
  /** What `--build-context` gives for a name; it goes before stages and images. */
  readonly namedContexts?: ReadonlyMap<string, NamedContext>;
  /** Also those that the target does not need: to check them. */
  readonly allStages?: boolean;
  /** What the context leaves out: only for a build check. */
  readonly ignore?: IgnoreRules | undefined;
}

export type NamedContext =
  /** A folder, a git repository, an archive: files. */
  { readonly kind: 'files' } | { readonly kind: 'image'; readonly image: BaseImage };
