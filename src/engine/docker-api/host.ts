import { availableParallelism, hostname, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from '../../lib/files.ts';
import { newId } from '../../lib/id.ts';
import { platformOfNode } from '../../lib/oci/index.ts';
import type { Host } from './rooms.ts';

/** Reads what is told of this machine; the engine's id is made at the first start and kept in its folder. */
export async function readHost(directory: string, version: string): Promise<Host> {
  const system = await readOperatingSystem();
  return {
    version,
    hostname: hostname(),
    architecture: platformOfNode(process.arch).architecture,
    kernelVersion: release(),
    operatingSystem: system.get('PRETTY_NAME') ?? 'Linux',
    operatingSystemVersion: system.get('VERSION_ID') ?? '',
    onlineCpus: availableParallelism(),
    memoryBytes: totalmem(),
    directory,
    id: await readOrMakeId(join(directory, 'engine-id')),
  };
}

async function readOperatingSystem(): Promise<ReadonlyMap<string, string>> {
  const text = (await readTextIfThere('/etc/os-release')) ?? '';
  const pairs = [...text.matchAll(/^(\w+)="?(.*?)"?$/gm)];
  return new Map(pairs.map(([, key = '', value = '']) => [key, value]));
}

async function readOrMakeId(path: string): Promise<string> {
  const known = (await readTextIfThere(path))?.trim();
  if (known) return known;
  const id = newId();
  await writeFileAtomic(path, `${id}\n`);
  return id;
}
