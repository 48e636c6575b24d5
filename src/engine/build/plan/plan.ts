import type { Digest, ExecutionConfig, ImageConfig, Platform } from '../../../lib/oci/index.ts';
import type { Position, Source } from '../dockerfile/source.ts';

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
  /** `created_by` of the history entry, in BuildKit's form; undefined: no entry (FROM). */
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
  readonly mounts: readonly PlannedMount[];
  /** A here-document with a `#!` line: it is put there as a file and started. */
  readonly script: { readonly path: string; readonly content: string } | undefined;
}

/** Where files are read from. */
export type Origin =
  | { readonly kind: 'context' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly image: BaseImage };

export type PlannedMount =
  | {
      /** Read-only. */
      readonly type: 'bind';
      readonly target: string;
      readonly source: string;
      readonly origin: Origin;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly isLocked: boolean;
      readonly readOnly: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | undefined }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** Empty: only the variable. */
      readonly target: string;
      readonly env: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

export interface CopyAction {
  readonly kind: 'copy';
  readonly origin: Origin;
  /** Relative to the origin's root, with wildcards; `.` is all of it. */
  readonly sources: readonly string[];
  /** Here-documents: files that are in the Dockerfile itself. */
  readonly inlineFiles: readonly { readonly name: string; readonly content: string }[];
  /** Absolute, clean, without a slash at its end. */
  readonly destination: string;
  /** The destination is a folder whether it is there or not. */
  readonly intoDirectory: boolean;
  readonly chown: string | undefined;
  /** Octal. */
  readonly chmod: number | undefined;
  /** ADD: local tar archives are unpacked. */
  readonly unpacks: boolean;
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
}
