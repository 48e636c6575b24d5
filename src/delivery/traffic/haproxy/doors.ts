import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import { IPV6_SLOTS, slotPort } from '../ports.ts';

/** Ports that Linux does not hand out by itself (its default range ends at 60,999). */
const PORTS = { first: 61_000, last: 64_999 };
/** The first ports of all rows. */
export const DOORS: readonly number[] = Array.from(
  { length: Math.floor((PORTS.last - PORTS.first + 1) / (IPV6_SLOTS + 1)) },
  (_, row) => PORTS.first + row * (IPV6_SLOTS + 1),
);
/** Folder of a scope's run directory with a file for each door that it has. */
const CLAIMS = 'doors';
/** Run directories of all scopes stand side by side. */
const RUN_DIRECTORY = /^bascule(-[0-9a-f]{8})?$/;

/**
 * A port that nobody listens on, with the slots for IPv6 after it, and that no daemon of another root has chosen: its
 * proxy may not listen yet, or be away for a moment. HAProxy itself would share a port without a word (SO_REUSEPORT).
 * @param runDirectory of the scope: what it has claimed stands there
 * @param taken rows that are ours already
 */
export async function chooseDoor(runDirectory: string, taken: readonly number[]): Promise<number> {
  for (const port of shuffled(DOORS)) {
    if (!taken.includes(port) && (await isRowFree(port)) && (await claim(runDirectory, port))) return port;
  }
  throw new UserError({
    code: 'no-free-port',
    kind: 'unavailable',
    message: `no free row of ${IPV6_SLOTS + 1} ports for the proxy between ${PORTS.first} and ${PORTS.last}`,
    fix: 'See with `ss -ltnp` what listens there, and in /run/bascule*/doors which other roots have them; remove those of roots that are gone.',
  });
}

function shuffled(ports: readonly number[]): readonly number[] {
  return ports
    .map((port) => ({ port, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ port }) => port);
}

/** Says to the daemons of other roots that a door is ours. Of two that claim one at once, both let it go. */
async function claim(runDirectory: string, port: number): Promise<boolean> {
  await keepDoor(runDirectory, port);
  const beside = dirname(runDirectory);
  const others = (await readdir(beside)).filter((name) => RUN_DIRECTORY.test(name) && name !== basename(runDirectory));
  if (!others.some((name) => existsSync(claimOf(join(beside, name), port)))) return true;
  await rm(claimOf(runDirectory, port), { force: true });
  return false;
}

/** Claims a door that was chosen before: claims go with a reboot. */
export async function keepDoor(runDirectory: string, port: number): Promise<void> {
  await mkdir(join(runDirectory, CLAIMS), { recursive: true });
  await writeFile(claimOf(runDirectory, port), '');
}

function claimOf(runDirectory: string, port: number): string {
  return join(runDirectory, CLAIMS, String(port));
}

async function isRowFree(port: number): Promise<boolean> {
  const slots = Array.from({ length: IPV6_SLOTS }, (_, slot) => isFree({ host: '::', port: slotPort(port, slot) }));
  return (await Promise.all([isFree({ host: '0.0.0.0', port }), ...slots])).every(Boolean);
}

/** Where there is no IPv6, nobody listens by it. */
function isFree(where: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(systemCodeOf(error) !== 'EADDRINUSE'));
    server.listen({ ...where, ipv6Only: true, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
