import { existsSync } from 'node:fs';
import { chmod, copyFile, link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { runOrThrow } from '../../lib/process.ts';

const PT_INTERP = 3;
const CANDIDATES = ['/bin/busybox', '/usr/bin/busybox'];
const DIRECTORIES: readonly (readonly [path: string, mode: number])[] = [
  ['bin', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['proc', 0o755],
  ['root', 0o700],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/sbin', 0o755],
  ['var', 0o755],
  ['var/spool', 0o755],
  ['var/spool/mail', 0o755],
  ['var/www', 0o755],
];
const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
mail:x:8:
www-data:x:33:
utmp:x:43:
staff:x:50:
users:x:100:
nogroup:x:65534:
`;

/**
 * A small root file system around the machine's own static busybox, laid out as Docker's busybox image: one file
 * under the names of all its applets.
 * @throws UserError `busybox-missing`
 */
export async function writeBusyboxRoot(root: string, signal?: AbortSignal): Promise<void> {
  const program = await findStaticBusybox();
  for (const [path, mode] of DIRECTORIES) {
    await mkdir(join(root, path));
    await chmod(join(root, path), mode);
  }
  await copyFile(program, join(root, 'bin/busybox'));
  await chmod(join(root, 'bin/busybox'), 0o755);
  const { stdout } = await runOrThrow([program, '--list'], signal === undefined ? {} : { signal });
  const applets = stdout.split('\n').map((name) => basename(name.trim()));
  for (const name of new Set(applets)) {
    if (name !== '' && name !== 'busybox') await link(join(root, 'bin/busybox'), join(root, 'bin', name));
  }
  await writeFile(join(root, 'etc/passwd'), PASSWD, { mode: 0o644 });
  await writeFile(join(root, 'etc/group'), GROUP, { mode: 0o644 });
}

/** A dynamic busybox would not run in an empty root: it names its loader in the ELF header's PT_INTERP segment. */
async function findStaticBusybox(): Promise<string> {
  for (const path of CANDIDATES) {
    if (existsSync(path) && (await isStatic(path))) return path;
  }
  throw new UserError({
    code: 'busybox-missing',
    kind: 'unavailable',
    message: 'this machine has no static busybox to make the image from',
    fix: 'Install it: `apt-get install busybox-static`.',
  });
}

async function isStatic(path: string): Promise<boolean> {
  const file = await readFile(path);
  return file.toString('latin1', 0, 4) === '\x7fELF' && !hasInterpreter(file);
}

/** ELF-64, little endian: the program headers (System V ABI, "Program Loading"). */
function hasInterpreter(file: Buffer): boolean {
  const start = Number(file.readBigUInt64LE(0x20));
  const entrySize = file.readUInt16LE(0x36);
  const count = file.readUInt16LE(0x38);
  const types = Array.from({ length: count }, (_, index) => file.readUInt32LE(start + index * entrySize));
  return types.includes(PT_INTERP);
}
