import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Below the ports that the kernel hands out by itself: a port that is published by nftables is not taken in the kernel's
 * eyes, and a server of another test that asks for any port would get it, and never be reached.
 */
const FIRST = 20_000;
const END = 32_000;
const TRIES = 100;
/** A file for each port that a process of the tests has taken. */
const TAKEN = join(tmpdir(), 'bascule-test-ports');

/** A port that nothing listens on, and that no other process of the tests gets while this one runs. */
export async function freePort(): Promise<number> {
  mkdirSync(TAKEN, { recursive: true });
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    if (take(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${END}`);
}

function take(port: number): boolean {
  const file = join(TAKEN, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    const owner = Number(textOf(file));
    if (owner === 0 || isAlive(owner)) return false; // 0: somebody is about to write
    writeFileSync(file, String(process.pid));
  }
  if (!process.listeners('exit').includes(giveBack)) process.once('exit', giveBack);
  return true;
}

function giveBack(): void {
  for (const name of readdirSync(TAKEN)) {
    const file = join(TAKEN, name);
    if (textOf(file) === String(process.pid)) rmSync(file, { force: true });
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port);
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
