import type { TarEntry, TarType } from './tar-entry.ts';

const BLOCK = 512;
/** We write nothing behind the device numbers. */
const FIELDS_END = 345;
const MAX_NAME_BYTES = 100;
const MAX_SMALL_OCTAL = 0o7777777;
const MAX_LARGE_OCTAL = 0o77777777777;
const TYPE_FLAGS: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** Two zero blocks end an archive. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

/** Zeros that fill the last block of a member's content. */
export function paddingOf(size: number): Buffer {
  return TAR_END.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

/**
 * The header of a member, always the same bytes for the same entry: ustar, with a pax header in front only for what
 * does not fit (POSIX.1-2017, pax: "pax Interchange Format"). Owners are numbers only.
 */
export function encodeHeader(entry: TarEntry): Buffer {
  const name = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const records = paxRecords(entry, name);
  const header = ustarBlock(entry, name, TYPE_FLAGS[entry.type]);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const paxEntry: TarEntry = { ...entry, mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: 0, linkTarget: '' };
  const paxHeader = ustarBlock({ ...paxEntry, major: 0, minor: 0 }, `PaxHeaders.0/${entry.path}`, 'x');
  return Buffer.concat([paxHeader, body, paddingOf(body.length), header]);
}

function paxRecords(entry: TarEntry, name: string): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Buffer): void => void records.push(paxRecord(key, value));
  if (entry.gid > MAX_SMALL_OCTAL) add('gid', Buffer.from(String(entry.gid)));
  if (entry.linkTarget.length > MAX_NAME_BYTES) add('linkpath', Buffer.from(entry.linkTarget, 'latin1'));
  if (entry.mtime < 0 || entry.mtime > MAX_LARGE_OCTAL || entry.nanoseconds > 0)
    add('mtime', Buffer.from(decimalTime(entry)));
  if (name.length > MAX_NAME_BYTES) add('path', Buffer.from(name, 'latin1'));
  if (entry.size > MAX_LARGE_OCTAL) add('size', Buffer.from(String(entry.size)));
  if (entry.uid > MAX_SMALL_OCTAL) add('uid', Buffer.from(String(entry.uid)));
  for (const key of [...entry.xattrs.keys()].sort()) add(`SCHILY.xattr.${key}`, entry.xattrs.get(key)!);
  return records;
}

/** Seconds since 1970 as a decimal number. */
function decimalTime({ mtime, nanoseconds }: TarEntry): string {
  if (nanoseconds === 0) return String(mtime);
  const total = BigInt(mtime) * 1_000_000_000n + BigInt(nanoseconds);
  const [sign, size] = total < 0n ? ['-', -total] : ['', total];
  return `${sign}${size / 1_000_000_000n}.${String(size % 1_000_000_000n).padStart(9, '0')}`;
}

/** `<length> <key>=<value>\n`, where the length counts its own digits too. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function ustarBlock(entry: TarEntry, name: string, typeFlag: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, MAX_NAME_BYTES, 'latin1');
  octal(block, 100, { digits: 7, value: entry.mode });
  octal(block, 108, { digits: 7, value: entry.uid });
  octal(block, 116, { digits: 7, value: entry.gid });
  octal(block, 124, { digits: 11, value: entry.size });
  octal(block, 136, { digits: 11, value: entry.mtime });
  block.write(typeFlag, 156, 1, 'latin1');
  block.write(entry.linkTarget, 157, MAX_NAME_BYTES, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  octal(block, 329, { digits: 7, value: entry.major });
  octal(block, 337, { digits: 7, value: entry.minor });
  writeChecksum(block);
  return block;
}

/** Zero where the value does not fit: the pax header has it then. */
function octal(block: Buffer, offset: number, { digits, value }: { digits: number; value: number }): void {
  const fits = value >= 0 && value < 8 ** digits;
  block.write((fits ? value : 0).toString(8).padStart(digits, '0'), offset, digits, 'latin1');
}

function writeChecksum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let index = 0; index < FIELDS_END; index++) sum += block[index]!; // an iterator takes ten times as long
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
}
