import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack, type Pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import { digestOf, type Digest } from '../../src/lib/oci/index.ts';
import { configOf, type ImageBench } from './image-bench.ts';

/** A docker-archive as another tool writes it: a layer of GNU tar, in the order of the disk, with fractions of seconds. */
export function writeForeignArchive(
  bench: ImageBench,
  write: (root: string) => void,
): { archive: string; diffId: Digest } {
  const root = bench.path('foreign-root');
  mkdirSync(root);
  write(root);
  const layer = execFileSync('tar', ['--format=pax', '--xattrs', '--sort=none', '-cf', '-', '-C', root, '.'], {
    maxBuffer: 1e9,
  });
  const diffId = digestOf(layer);
  const config = JSON.stringify(configOf([diffId]));
  const folder = bench.path('foreign');
  mkdirSync(join(folder, 'one'), { recursive: true });
  writeFileSync(join(folder, 'one/layer.tar'), layer);
  writeFileSync(join(folder, 'config.json'), config);
  const manifest = [{ Config: 'config.json', RepoTags: ['foreign:1'], Layers: ['one/layer.tar'] }];
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const archive = bench.path('foreign.tar');
  execFileSync('tar', ['-cf', archive, '-C', folder, 'one', 'config.json', 'manifest.json']);
  return { archive, diffId };
}

export interface ArchiveMember {
  readonly header: Parameters<Pack['entry']>[0];
  readonly content?: string | Buffer;
}

export async function tarOf(members: readonly ArchiveMember[]): Promise<Buffer> {
  const archive = pack();
  for (const { header, content } of members) archive.entry(header, content === undefined ? '' : Buffer.from(content));
  archive.finalize();
  return buffer(archive);
}

/** A docker-archive of one layer, whose digests are right. */
export async function imageArchiveOf(layer: Buffer, manifest: object = {}): Promise<Buffer> {
  const config = JSON.stringify(configOf([digestOf(layer)]));
  const description = [{ Config: 'config.json', RepoTags: ['hostile:1'], Layers: ['layer.tar'], ...manifest }];
  return tarOf([
    { header: { name: 'layer.tar' }, content: layer },
    { header: { name: 'config.json' }, content: config },
    { header: { name: 'manifest.json' }, content: JSON.stringify(description) },
  ]);
}

export function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
