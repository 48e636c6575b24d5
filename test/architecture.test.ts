import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';

/**
 * The rules of the house, over static, dynamic and type imports.
 * A room is a folder of src/ (src/delivery/* and src/engine/* are rooms of their own).
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'delivery/compose': [],
  'delivery/policy': ['delivery/compose'],
  'delivery/release': ['delivery/compose', 'delivery/policy'],
  'delivery/fleet': ['delivery/release', 'delivery/compose'],
  'delivery/certificates': [],
  'delivery/traffic': ['delivery/release', 'delivery/certificates'],
  'delivery/drift': ['delivery/release', 'delivery/fleet', 'delivery/traffic'],
  'delivery/rollout': [
    'delivery/compose',
    'delivery/policy',
    'delivery/release',
    'delivery/fleet',
    'delivery/traffic',
    'delivery/certificates',
    'delivery/drift',
  ],
  'engine/image': [],
  'engine/network': [],
  'engine/volume': [],
  'engine/registry': ['engine/image'],
  'engine/sbom': ['engine/image'],
  'engine/runtime': ['engine/image', 'engine/network', 'engine/volume'],
  'engine/build': ['engine/image', 'engine/registry', 'engine/runtime', 'engine/network', 'engine/sbom'],
  'engine/docker-api': [
    'engine/image',
    'engine/network',
    'engine/volume',
    'engine/registry',
    'engine/sbom',
    'engine/runtime',
    'engine/build',
  ],
  server: ['delivery/rollout', 'delivery/release', 'delivery/compose', 'engine/docker-api'],
  cli: ['server'],
  dashboard: ['server'],
  lib: [],
};

/** Deciding is pure: these files take values and return values. */
const PURE = [
  'src/delivery/compose/**/*.ts',
  'src/delivery/policy/**/*.ts',
  'src/delivery/rollout/plan/**/*.ts',
  'src/engine/build/dockerfile/**/*.ts',
  'src/engine/build/plan/**/*.ts',
  'src/**/*-spec.ts',
  'src/**/*-argv.ts',
  'src/**/render-*.ts',
];
const EFFECTS = new Set(['node:fs', 'node:fs/promises', 'node:net', 'node:child_process', 'node:http', 'node:dgram']);

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])([^'"\n]+)\1/g;

interface Import {
  readonly file: string;
  readonly target: string;
}

const sources = globSync('src/**/*.ts').sort();
const productSources = sources.filter((file) => !file.endsWith('.test.ts'));

describe('the house', () => {
  it('has only rooms that the architecture names', () => {
    const unknown = new Set(sources.map(roomOf).filter((room) => room !== 'main.ts' && !(room in MAY_IMPORT)));
    assert.deepEqual([...unknown], []);
  });

  it('lets each room import only what stands in its row', () => {
    assert.deepEqual(
      allImports(sources)
        .filter((entry) => !isAllowed(entry))
        .map(sayImport),
      [],
    );
  });

  it('enters a room by its index.ts only', () => {
    assert.deepEqual(allImports(sources).filter(isSideEntrance).map(sayImport), []);
  });

  it('lets the CLI and the dashboard talk to the server only through its client', () => {
    const talkers = allImports(sources).filter(({ file }) => ['cli', 'dashboard'].includes(roomOf(file)));
    const past = talkers.filter(({ target }) => roomOf(target) === 'server' && target !== 'src/server/client/index.ts');
    assert.deepEqual(past.map(sayImport), []);
  });

  it('has no circles', () => {
    assert.deepEqual(findCircle(productSources), []);
  });

  it('keeps deciding pure', () => {
    const pure = PURE.flatMap((pattern) => globSync(pattern)).filter((file) => !file.endsWith('.test.ts'));
    assert.deepEqual(
      importsOf(pure)
        .filter((entry) => EFFECTS.has(entry.target))
        .map(sayImport),
      [],
    );
  });

  it('reads argv and the environment only in main.ts', () => {
    const readers = productSources.filter(
      (file) => file !== 'src/main.ts' && /process\.(argv|env)\b/.test(readFileSync(file, 'utf8')),
    );
    assert.deepEqual(readers, []);
  });

  it('has named exports in every face, and nothing else', () => {
    const faces = productSources.filter((file) =>
      /^src\/(?:(?:delivery|engine)\/[^/]+|server|dashboard)\/index\.ts$/.test(file),
    );
    const busy = faces.filter((file) => /export\s+(default|\*)/.test(readFileSync(file, 'utf8')));
    assert.deepEqual(busy, []);
  });
});

function roomOf(file: string): string {
  const [, wing = '', room = ''] = file.split('/');
  if (wing === 'main.ts') return 'main.ts';
  return wing === 'delivery' || wing === 'engine' ? `${wing}/${room}` : wing;
}

function importsOf(files: readonly string[]): readonly Import[] {
  return files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(IMPORT)].map((match) => ({ file, target: match[2] ?? '' })),
  );
}

/** Imports of the project's own files, the target as a path from the repository's root. */
function allImports(files: readonly string[]): readonly Import[] {
  return importsOf(files)
    .filter((entry) => entry.target.startsWith('.'))
    .map((entry) => ({ file: entry.file, target: normalize(join(dirname(entry.file), entry.target)) }));
}

function isAllowed({ file, target }: Import): boolean {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from === 'main.ts' || from === to) return true;
  if (file.endsWith('.test.ts') && target.startsWith('test/')) return true;
  if (to === 'lib') return true;
  return MAY_IMPORT[from]?.includes(to) ?? false;
}

function isSideEntrance({ file, target }: Import): boolean {
  const to = roomOf(target);
  if (roomOf(file) === to || to === 'lib' || !target.startsWith('src/')) return false;
  return !target.endsWith('/index.ts');
}

function sayImport({ file, target }: Import): string {
  return `${file} -> ${target}`;
}

function findCircle(files: readonly string[]): readonly string[] {
  const edges = new Map<string, string[]>();
  for (const { file, target } of allImports(files)) edges.set(file, [...(edges.get(file) ?? []), target]);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of edges.get(file) ?? []) {
      const circle = visit(next, [...path, file]);
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  for (const file of files) {
    const circle = visit(file, []);
    if (circle.length > 0) return circle;
  }
  return [];
}
