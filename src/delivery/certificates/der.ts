/** The few forms of DER (X.690) that certificates and requests for them are made of. */
export type Der = Buffer;

export function sequence(...parts: readonly Der[]): Der {
  return tagged(0x30, ...parts);
}

export function setOf(...parts: readonly Der[]): Der {
  return tagged(0x31, ...parts);
}

/** `[number]`, constructed. */
export function context(number: number, ...parts: readonly Der[]): Der {
  return tagged(0xa0 | number, ...parts);
}

/** `[number] IMPLICIT`, of a primitive form. */
export function contextPrimitive(number: number, content: Der): Der {
  return tagged(0x80 | number, content);
}

/** Not negative; big-endian bytes of any length. */
export function integer(value: number | Uint8Array): Der {
  const bytes = typeof value === 'number' ? Buffer.from([value]) : Buffer.from(value);
  return tagged(0x02, (bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

export function boolean(value: boolean): Der {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}

export function utf8(text: string): Der {
  return tagged(0x0c, Buffer.from(text));
}

export function octets(content: Der): Der {
  return tagged(0x04, content);
}

/** Whole bytes. */
export function bits(content: Der): Der {
  return tagged(0x03, Buffer.from([0]), content);
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
export function time(date: Date): Der {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): readonly number[] {
  const digits = [value & 0x7f];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
    digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

function tagged(tag: number, ...parts: readonly Der[]): Der {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff);
  return [0x80 | bytes.length, ...bytes];
}
