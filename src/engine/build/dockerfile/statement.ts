import type { HealthcheckConfig } from '../../../lib/oci/index.ts';
import type { Heredoc } from './lines.ts';
import type { FlagValue, Instruction } from './parse.ts';

/** What a process is started with: through the shell, or as it is. */
export type Command =
  | { readonly form: 'shell'; readonly text: string }
  | { readonly form: 'exec'; readonly args: readonly string[] };

/** `RUN --mount` (Dockerfile reference: RUN --mount). */
export type RunMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      readonly source: string;
      readonly from: string | undefined;
      readonly readOnly: boolean;
    }
  | (MountOwner & {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly sharing: CacheSharing;
      readonly readOnly: boolean;
      /** What the cache begins with. */
      readonly from: string | undefined;
      readonly source: string;
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
      /** The socket of an SSH agent; `SSH_AUTH_SOCK` names the first one. */
      readonly type: 'ssh';
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
    });

export interface MountOwner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Of a cache mount: steps have it together; one step at a time; each of the steps that run at once has its own. */
export type CacheSharing = 'shared' | 'locked' | 'private';

/** One member a kind, so that a switch narrows each. */
type Each<K extends string, T> = K extends K ? { readonly kind: K } & T : never;

/** An instruction understood, its variables not yet expanded. */
export type Statement = StatementBody & { readonly instruction: Instruction };

export type StatementBody =
  | {
      readonly kind: 'from';
      readonly image: string;
      readonly platform: string | undefined;
      readonly name: string | undefined;
    }
  | {
      readonly kind: 'run';
      readonly command: Command;
      /** `--mount` as written: variables in them are expanded first. */
      readonly mounts: readonly FlagValue[];
      readonly network: 'default' | 'none' | 'host';
      readonly security: 'sandbox' | 'insecure';
      readonly heredocs: readonly Heredoc[];
    }
  | {
      readonly kind: 'copy';
      /** ADD: it fetches URLs and git repositories, and unpacks tar archives. */
      readonly isAdd: boolean;
      readonly sources: readonly string[];
      readonly destination: string;
      readonly from: string | undefined;
      readonly chown: string | undefined;
      readonly chmod: string | undefined;
      readonly link: boolean;
      readonly parents: boolean;
      readonly excludes: readonly string[];
      readonly checksum: string | undefined;
      readonly keepsGitDirectory: boolean;
      /** Undefined: archives of the context are unpacked, those of URLs are not. */
      readonly unpack: boolean | undefined;
      readonly heredocs: readonly Heredoc[];
    }
  | Each<'env' | 'label', { readonly pairs: readonly (readonly [name: string, value: string])[] }>
  | { readonly kind: 'arg'; readonly items: readonly { readonly name: string; readonly value: string | undefined }[] }
  | Each<'workdir' | 'user' | 'stopsignal' | 'maintainer', { readonly value: string }>
  | Each<'expose' | 'volume', { readonly values: readonly string[] }>
  | Each<'cmd' | 'entrypoint', { readonly command: Command }>
  | { readonly kind: 'shell'; readonly args: readonly string[] }
  | { readonly kind: 'healthcheck'; readonly check: HealthcheckConfig; readonly command: Command | undefined }
  | { readonly kind: 'onbuild'; readonly text: string };

export type CopyStatement = Extract<Statement, { readonly kind: 'copy' }>;

export const KEYWORDS = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const;

/** What a flag takes: a value, once or again and again, or nothing (`--name`), `true` or `false`. */
export type FlagKind = 'value' | 'values' | 'switch';

/** The flags of every instruction (Dockerfile reference). */
export const FLAGS: Readonly<Record<string, Readonly<Record<string, FlagKind>>>> = {
  from: { platform: 'value' },
  run: { mount: 'values', network: 'value', security: 'value', device: 'values' },
  copy: {
    from: 'value',
    chown: 'value',
    chmod: 'value',
    link: 'switch',
    parents: 'switch',
    exclude: 'values',
  },
  add: {
    'keep-git-dir': 'switch',
    checksum: 'value',
    chown: 'value',
    chmod: 'value',
    link: 'switch',
    unpack: 'switch',
    exclude: 'values',
  },
  healthcheck: {
    interval: 'value',
    timeout: 'value',
    'start-period': 'value',
    'start-interval': 'value',
    retries: 'value',
  },
};
