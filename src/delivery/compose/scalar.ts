/** A plain YAML scalar as Compose's YAML reader resolves it: YAML 1.2 core, and YAML 1.1's octal and binary numbers. */
export type Resolved =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'int' | 'float'; readonly value: number; readonly text: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'null'; readonly value: null };

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUES = new Set(['true', 'True', 'TRUE']);
const FALSES = new Set(['false', 'False', 'FALSE']);
const FLOAT = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const DECIMAL = /^[-+]?(?:0|[1-9]\d*)$/;
const RADIX = /^([-+]?)0(?:(x)([\da-fA-F]+)|(b)([01]+)|(o?)([0-7]+))$/;

/** Resolves plain (unquoted) text. */
export function resolvePlain(source: string): Resolved {
  if (NULLS.has(source)) return { type: 'null', value: null };
  if (TRUES.has(source)) return { type: 'bool', value: true };
  if (FALSES.has(source)) return { type: 'bool', value: false };
  return resolveNumber(source) ?? { type: 'string', value: source };
}

function resolveNumber(source: string): Resolved | undefined {
  if (!/^[-+.\d]/.test(source)) return undefined;
  const text = source.replaceAll('_', '');
  if (DECIMAL.test(text)) return integer(BigInt(text.replace('+', '')));
  const radix = RADIX.exec(text);
  if (radix !== null) return radixInteger(radix);
  if (FLOAT.test(text)) return float(Number(text));
  const special = /^([-+]?)\.(?:inf|Inf|INF)$/.exec(text);
  if (special !== null) return float(special[1] === '-' ? -Infinity : Infinity);
  return /^\.(?:nan|NaN|NAN)$/.test(text) ? float(Number.NaN) : undefined;
}

function radixInteger(match: RegExpExecArray): Resolved {
  const [, sign, hex, hexDigits, binary, binaryDigits, , octalDigits] = match;
  const prefix = hex !== undefined ? '0x' : binary !== undefined ? '0b' : '0o';
  const value = BigInt(`${prefix}${hexDigits ?? binaryDigits ?? octalDigits}`);
  return integer(sign === '-' ? -value : value);
}

function integer(value: bigint): Resolved {
  return { type: 'int', value: Number(value), text: String(value) };
}

function float(value: number): Resolved {
  return { type: 'float', value, text: formatFloat(value) };
}

/** Go's `%v`: shortest digits, with an exponent of two digits at least below 1e-4 and from 1e6. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(value);
  return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
}
