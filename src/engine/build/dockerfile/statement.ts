import type { HealthcheckConfig } from '../../../lib/oci/index.ts';
import type { Heredoc } from './lines.ts';
import type { Instruction } from './parse.ts';

/** What a process is started with: through the shell, or as it is. */
export type Command =
  | { readonly form: 'shell'; readonly text: string }
  | { readonly form: 'exec'; readonly args: readonly string[] };

/** `RUN --mount` (Dockerfile reference: RUN --mount). Paths and ids are not expanded yet. */
export type RunMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      readonly source: string;
      readonly from: string | undefined;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      /** `sharing=locked`: one step at a time has it. */
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
      readonly target: string;
      readonly env: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

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
      readonly mounts: readonly RunMount[];
      readonly network: 'default' | 'none' | 'host';
      readonly heredocs: readonly Heredoc[];
    }
  | {
      readonly kind: 'copy';
      /** ADD: tar archives are unpacked. */
      readonly isAdd: boolean;
      readonly sources: readonly string[];
      readonly destination: string;
      readonly from: string | undefined;
      readonly chown: string | undefined;
      readonly chmod: string | undefined;
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

/** Flags that this builder does, and those that the reference has beside them. */
export const FLAGS: Readonly<
  Record<string, { readonly known: readonly string[]; readonly unsupported: readonly string[] }>
> = {
  from: { known: ['platform'], unsupported: [] },
  run: { known: ['mount', 'network'], unsupported: ['security', 'device'] },
  copy: { known: ['from', 'chown', 'chmod', 'link'], unsupported: ['parents', 'exclude'] },
  add: { known: ['chown', 'chmod', 'link'], unsupported: ['keep-git-dir', 'checksum', 'exclude', 'unpack'] },
  healthcheck: { known: ['interval', 'timeout', 'start-period', 'start-interval', 'retries'], unsupported: [] },
};
