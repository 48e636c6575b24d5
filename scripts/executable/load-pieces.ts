import { constants, Script } from 'node:vm';

/** Gives the code of a piece, or its code cache by the name with `.cache`; undefined where there is none. */
export type ReadPiece = (name: string) => Uint8Array | undefined;

interface Piece {
  readonly exports: object;
}

type Load = (name: string) => unknown;
type Run = (exports: object, load: Load, piece: Piece, file: string) => void;

/** What takes longest to load of Node itself, and most commands import only in case. */
const LATE = new Set(['child_process', 'node:child_process']);

/**
 * Loads pieces of the bundle as they are asked for, so that a command evaluates what it needs and nothing else.
 * @param requireNode gives Node's own modules
 * @param onScript hears of each piece that was loaded
 * @returns what the pieces have as `require`
 */
export function pieceLoader(
  read: ReadPiece,
  requireNode: Load,
  onScript: (name: string, script: Script) => void = () => {},
): Load {
  const pieces = new Map<string, Piece>();
  const load: Load = (name) => {
    if (!name.startsWith('./')) return LATE.has(name) ? late(() => requireNode(name) as object) : requireNode(name);
    const known = pieces.get(name);
    if (known !== undefined) return known.exports;
    const piece: Piece = { exports: {} };
    pieces.set(name, piece); // before it runs: pieces may need each other
    const script = scriptOf(name, read);
    onScript(name, script);
    (script.runInThisContext() as Run)(piece.exports, load, piece, name);
    return piece.exports; // it may have set others
  };
  return load;
}

/** All characters are ASCII: the code is taken byte by byte, which costs nothing. */
function scriptOf(name: string, read: ReadPiece): Script {
  const code = read(name);
  if (code === undefined) throw new Error(`the piece ${name} is not in this executable`);
  const cachedData = read(`${name}.cache`);
  return new Script(Buffer.from(code.buffer, code.byteOffset, code.length).toString('latin1'), {
    filename: name,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
}

/** Stands for a module until somebody looks into it. */
function late(load: () => object): object {
  return new Proxy(
    {},
    {
      get: (_, key) => Reflect.get(load(), key) as unknown,
      has: (_, key) => Reflect.has(load(), key),
      ownKeys: () => Reflect.ownKeys(load()),
      getOwnPropertyDescriptor: (_, key) => ({ ...Reflect.getOwnPropertyDescriptor(load(), key), configurable: true }),
    },
  );
}
