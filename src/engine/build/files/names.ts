/**
 * File names are bytes. In this folder and what it gives, names and paths of files are strings of which each character
 * is one byte ("byte strings"); what people write and read is text. For plain ASCII both are the same.
 */
export function nameOf(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

/** For people and for patterns; bytes that are no UTF-8 become U+FFFD. */
export function textOf(name: string): string {
  return isAscii(name) ? name : Buffer.from(name, 'latin1').toString();
}

/** What calls of the system take. */
export function onDisk(name: string): string | Buffer {
  return isAscii(name) ? name : Buffer.from(name, 'latin1');
}

/** As an argument of a program, which Node takes as text only; undefined where that cannot say it. */
export function asArgument(name: string): string | undefined {
  const text = textOf(name);
  return nameOf(text) === name ? text : undefined;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
