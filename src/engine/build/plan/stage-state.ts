import type { ExecutionConfig } from '../../../lib/oci/index.ts';
import type { Source } from '../dockerfile/source.ts';
import type { Planning } from './planning.ts';
import type { StageInput } from './planning.ts';
import { createExpansion, type Expansion, isPredefined } from './variables.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the instructions of a stage have made so far. */
export interface StageState {
  readonly planning: Planning;
  readonly source: Source;
  /** Index of the stage among all. */
  readonly index: number;
  /** Sees ENV, then ARG. */
  readonly expansion: Expansion;
  /** Stages that this one reads. */
  readonly needs: Set<number>;
  author: string | undefined;
  /** A CMD of this stage: ENTRYPOINT does not take it away. */
  hasOwnCommand: boolean;
  config(): ExecutionConfig;
  set(change: ExecutionConfig): void;
  setEnv(name: string, value: string): void;
  /** The value that an ARG gets; undefined where it has none. */
  declareArgument(name: string, ownDefault: string | undefined): string | undefined;
  /** ARGs with a value, in order of declaration. */
  buildArguments(): readonly (readonly [name: string, value: string])[];
  /** What RUN sees: ENV, and ARGs that no ENV hides. */
  environment(): readonly string[];
  /** Proxies that were given without being declared. */
  passingEnvironment(): readonly string[];
  shell(): readonly string[];
  workingDirectory(): string;
}

export function createStageState(planning: Planning, o: StageInput): StageState {
  const { input, globals, automatic } = planning;
  const inherited = o.parentConfig ?? (o.base.kind === 'image' ? o.base.image.config.config : undefined) ?? {};
  const { OnBuild: _, ...kept } = inherited;
  let config: ExecutionConfig = { ...kept, Env: inherited.Env ?? [`PATH=${DEFAULT_PATH}`] };
  const env = new Map((config.Env ?? []).map(nameAndValue));
  const declared = new Map<string, string | undefined>();
  const lookup = (name: string): string | undefined => env.get(name) ?? declared.get(name);
  const hiddenFrom = ([name, value]: readonly [string, string | undefined]): boolean =>
    value !== undefined && !env.has(name);
  return {
    planning,
    source: planning.source,
    index: o.raw.index,
    expansion: createExpansion(planning.source, lookup, planning.escape),
    needs: new Set(o.base.kind === 'stage' ? [o.base.index] : []),
    author: o.base.kind === 'image' ? o.base.image.config.author : undefined,
    hasOwnCommand: false,
    config: () => config,
    set(change) {
      config = { ...config, ...change };
    },
    setEnv(name, value) {
      env.set(name, value);
      config = { ...config, Env: [...env].map(([key, text]) => `${key}=${text}`) };
    },
    declareArgument(name, ownDefault) {
      const value = input.buildArgs[name] ?? ownDefault ?? globals.get(name) ?? automatic.get(name);
      declared.delete(name);
      declared.set(name, value);
      return value;
    },
    buildArguments: () =>
      [...declared].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    environment() {
      const path = env.has('PATH') ? [] : [`PATH=${DEFAULT_PATH}`];
      const args = [...declared].filter(hiddenFrom).map(([name, value]) => `${name}=${value}`);
      return [...path, ...[...env].map(([name, value]) => `${name}=${value}`), ...args];
    },
    passingEnvironment: () =>
      Object.entries(input.buildArgs).flatMap(([name, value]) =>
        isPredefined(name) && value !== null && !declared.has(name) && !env.has(name) ? [`${name}=${value}`] : [],
      ),
    shell: () => config.Shell ?? ['/bin/sh', '-c'],
    workingDirectory: () => config.WorkingDir || '/',
  };
}

function nameAndValue(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
