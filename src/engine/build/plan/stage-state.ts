import { posix } from 'node:path';
import type { ExecutionConfig } from '../../../lib/oci/index.ts';
import type { Source } from '../dockerfile/source.ts';
import type { Planning, StageInput, StageScope } from './planning.ts';
import type { Lookup } from '../dockerfile/expand.ts';
import { createExpansion, type Expansion, proxiesOf } from './variables.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the instructions of a stage have made so far. */
export interface StageState {
  readonly planning: Planning;
  readonly source: Source;
  /** Index of the stage among all. */
  readonly index: number;
  /** Sees ENV and ARG. */
  readonly expansion: Expansion;
  /** Stages that this one reads. */
  readonly needs: Set<number>;
  author: string | undefined;
  /** A CMD of this stage: ENTRYPOINT does not take it away. */
  hasOwnCommand: boolean;
  config(): ExecutionConfig;
  set(change: ExecutionConfig): void;
  setEnv(name: string, value: string): void;
  /**
   * The value that an ARG gets; undefined where it has none.
   * @param ownDefault is asked only where no value was given
   */
  declareArgument(name: string, ownDefault: () => string | undefined): string | undefined;
  /** In order of declaration. */
  buildArguments(): readonly (readonly [name: string, value: string])[];
  /** What RUN sees: ENV and ARG, of which the last one of a name holds. */
  environment(): readonly string[];
  /** Proxies that were given without being declared. */
  passingEnvironment(): readonly string[];
  shell(): readonly string[];
  workingDirectory(): string;
  /** What stages that build on this one begin with. */
  scope(): StageScope;
  /** Variables that were used since the last call, and that nothing defines. */
  takeUndefined(): readonly string[];
}

export function createStageState(planning: Planning, o: StageInput): StageState {
  const { input, globals, automatic } = planning;
  const inherited = o.parent?.config ?? (o.base.kind === 'image' ? o.base.image.config.config : undefined) ?? {};
  const { OnBuild: _, ...kept } = inherited;
  const ofScratch = o.base.kind === 'scratch' ? { WorkingDir: '/' } : {};
  let config: ExecutionConfig = { ...ofScratch, ...kept, Env: withPath(inherited.Env ?? []) };
  const env = new Map((config.Env ?? []).map(nameAndValue));
  const variables = new Map([...(o.parent?.variables ?? []), ...env]);
  const declared = new Set(o.parent?.declared);
  const lookup: Lookup = (name) => {
    const value = variables.get(name);
    if (value === undefined && !declared.has(name)) undefinedNames.add(name);
    return value;
  };
  const undefinedNames = new Set<string>();
  const put = (name: string, value: string): void => {
    variables.delete(name);
    variables.set(name, value);
  };
  return {
    planning,
    source: planning.source,
    index: o.raw.index,
    expansion: createExpansion(planning.source, lookup, planning.escape),
    needs: new Set(o.base.kind === 'stage' ? [o.base.index] : []),
    author: o.parent?.author ?? (o.base.kind === 'image' ? o.base.image.config.author : undefined),
    hasOwnCommand: false,
    config: () => config,
    set(change) {
      config = { ...config, ...change };
    },
    setEnv(name, value) {
      env.set(name, value);
      put(name, value);
      config = { ...config, Env: [...env].map(([key, text]) => `${key}=${text}`) };
    },
    declareArgument(name, ownDefault) {
      const given = input.buildArgs[name] ?? undefined;
      const value = given ?? ownDefault() ?? globals.get(name) ?? automatic.get(name);
      declared.delete(name);
      declared.add(name);
      if (value !== undefined) put(name, value);
      return value;
    },
    buildArguments: () => [...declared].map((name) => [name, variables.get(name) ?? '']),
    environment: () => [...variables].map(([name, value]) => `${name}=${value}`),
    passingEnvironment: () =>
      proxiesOf(input.buildArgs)
        .filter(([name]) => !variables.has(name))
        .map((pair) => pair.join('=')),
    shell: () => config.Shell ?? ['/bin/sh', '-c'],
    workingDirectory: () => posix.resolve('/', config.WorkingDir ?? ''),
    scope: () => ({ variables, declared }),
    takeUndefined() {
      const names = [...undefinedNames];
      undefinedNames.clear();
      return names;
    },
  };
}

function withPath(env: readonly string[]): readonly string[] {
  return env.some((variable) => variable.startsWith('PATH=')) ? env : [...env, `PATH=${DEFAULT_PATH}`];
}

function nameAndValue(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
