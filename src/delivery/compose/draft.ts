import { composeError } from './errors.ts';
import { type MapNode, nearestAt } from './node.ts';
import type { FileObject, Model, Network, Volume } from './project.ts';
import type { Build, EnvFile, Service, ServiceNetwork } from './service.ts';

/** `true`, or the deprecated `{name}`. */
type External = { readonly external?: boolean | { readonly name?: string } };

/** A service as read from the files: nothing resolved, no defaults yet. */
export type DraftService = Omit<Service, 'settings' | 'command' | 'entrypoint' | 'build' | 'networks'> & {
  readonly command?: readonly string[] | null;
  readonly entrypoint?: readonly string[] | null;
  readonly build?: Build;
  readonly networks?: Readonly<Record<string, ServiceNetwork | null>>;
  readonly env_file?: readonly EnvFile[];
  readonly label_file?: readonly string[];
};

/** What the merged files say, each value checked by itself. */
export interface Draft {
  readonly services?: Readonly<Record<string, DraftService>>;
  readonly networks?: Readonly<Record<string, Partial<Omit<Network, 'external'>> & External>>;
  readonly volumes?: Readonly<Record<string, Partial<Omit<Volume, 'external'>> & External>>;
  readonly configs?: Readonly<Record<string, Omit<FileObject, 'external'> & External>>;
  readonly secrets?: Readonly<Record<string, Omit<FileObject, 'external'> & External>>;
  readonly models?: Readonly<Record<string, Model>>;
  readonly [extension: `x-${string}`]: unknown;
}

/** Makes errors about a draft that point into the files it came from. */
export type Fail = (keys: readonly (string | number)[], message: string, fix: string) => Error;

export function failIn(root: MapNode): Fail {
  return (keys, message, fix) =>
    composeError({
      at: nearestAt(root, keys).at,
      path: keys.reduce<string>(
        (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`),
        '',
      ),
      message,
      fix,
    });
}
