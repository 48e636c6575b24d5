import type { Platform } from '../../../lib/oci/index.ts';
import { ExpansionError, expandVariables, expandWord, expandWords, type Lookup } from '../dockerfile/expand.ts';
import { errorAt, type Position, type Source } from '../dockerfile/source.ts';

const PROXIES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'];

/** Build arguments that need no ARG (Dockerfile reference: Predefined ARGs, BuildKit built-in build args). */
export function isPredefined(name: string): boolean {
  return PROXIES.includes(name.toLowerCase()) || name === 'SOURCE_DATE_EPOCH' || name.startsWith('BUILDKIT_');
}

/** The proxies among build arguments, in both spellings: programs read either. They do not change cache keys. */
export function proxiesOf(
  buildArguments: Readonly<Record<string, string | null>>,
): readonly (readonly [name: string, value: string])[] {
  return Object.entries(buildArguments).flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    if (!PROXIES.includes(lower) || value === null) return [];
    return [[lower.toUpperCase(), value] as const, [lower, value] as const];
  });
}

/** ARGs that are there without being given (Dockerfile reference: Automatic platform ARGs in the global scope). */
export function platformArguments(platform: Platform, targetStage: string): ReadonlyMap<string, string> {
  const { os, architecture, variant } = platform;
  const whole = platformText(platform);
  return new Map(
    ['BUILD', 'TARGET']
      .flatMap((side): [string, string][] => [
        [`${side}PLATFORM`, whole],
        [`${side}OS`, os],
        [`${side}ARCH`, architecture],
        [`${side}VARIANT`, variant ?? ''],
      ])
      .concat([['TARGETSTAGE', targetStage]]),
  );
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** Expansion with errors that say where. */
export interface Expansion {
  word(text: string, at: Position): string;
  words(text: string, at: Position): readonly string[];
  heredoc(text: string, at: Position): string;
}

export function createExpansion(source: Source, lookup: Lookup, escape: string): Expansion {
  const guarded = <T>(at: Position, text: string, work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof ExpansionError)) throw cause;
      throw errorAt(source, at, {
        message: `cannot expand ${JSON.stringify(text)}: ${cause.message}`,
        fix: cause.fix,
        cause,
      });
    }
  };
  return {
    word: (text, at) => guarded(at, text, () => expandWord(text, lookup, escape)),
    words: (text, at) => guarded(at, text, () => expandWords(text, lookup, escape)),
    heredoc: (text, at) => guarded(at, text, () => expandVariables(text, lookup)),
  };
}
