import type { Override, Setting } from '../configuration/index.ts';
import { daemonPaths } from './paths.ts';

type Overrides = Readonly<Record<string, Override | undefined>>;

/** The configuration file of a root. What reads it is loaded only when it is asked for: most commands do not. */
export function controlConfiguration() {
  const load = () => import('../configuration/index.ts');
  const pathOf = (root: string): string => daemonPaths(root).configFile;
  return {
    list: async (root: string, overrides: Overrides): Promise<readonly Setting[]> =>
      (await load()).listSettings(pathOf(root), overrides),
    get: async (root: string, key: string, overrides: Overrides): Promise<Setting> =>
      (await load()).getSetting(pathOf(root), key, overrides),
    set: async (root: string, change: { readonly key: string; readonly value: string }): Promise<void> =>
      (await load()).setSetting(pathOf(root), change.key, change.value),
    unset: async (root: string, key: string): Promise<boolean> => (await load()).unsetSetting(pathOf(root), key),
  };
}
