import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { tarEntry, type TarEntry } from './tar-entry.ts';
import { createLayerExport, createLayerImport } from './whiteouts.ts';

const OPAQUE = new Map([['trusted.overlay.opaque', Buffer.from('y')]]);

describe('layer export', () => {
  it('writes whiteouts and opaque folders as OCI has them, and drops what is of overlayfs', () => {
    const origin = new Map([...OPAQUE, ['trusted.overlay.origin', Buffer.from('x')], ['user.kept', Buffer.from('1')]]);
    const paths = exported([
      tarEntry({ path: 'd', type: 'directory', xattrs: origin }),
      tarEntry({ path: 'd/gone', type: 'character' }),
      tarEntry({ path: 'null', type: 'character', major: 1, minor: 3 }),
    ]);
    assert.deepEqual(paths.map(said), [
      'directory d user.kept',
      'file d/.wh..wh..opq',
      'file d/.wh.gone',
      'character null',
    ]);
  });

  it('knows whiteouts that are hard links of one device', () => {
    const paths = exported([
      tarEntry({ path: 'a', type: 'character' }),
      tarEntry({ path: 'b', type: 'hardlink', linkTarget: 'a' }),
      tarEntry({ path: 'c', type: 'hardlink', linkTarget: 'x' }),
    ]);
    assert.deepEqual(paths.map(said), ['file .wh.a', 'file .wh.b', 'hardlink c']);
  });

  it('refuses a file whose name means a deletion', () => {
    assert.throws(
      () => exported([tarEntry({ path: 'd/.wh.x', type: 'file' })]),
      (error) => error instanceof UserError && error.code === 'layer-name-reserved',
    );
  });
});

describe('layer import', () => {
  it('makes overlayfs whiteouts; opaque folders come last, with their own attributes', () => {
    const entries = imported([
      tarEntry({ path: './', type: 'directory' }),
      tarEntry({ path: './d/', type: 'directory', mode: 0o750 }),
      tarEntry({ path: 'd/.wh.gone', type: 'file' }),
      tarEntry({ path: 'd/.wh..wh..opq', type: 'file' }),
      tarEntry({ path: '/abs//name', type: 'file' }),
      tarEntry({ path: '.wh..wh.plnk', type: 'file' }),
    ]);
    assert.deepEqual(entries.map(said), [
      'directory d',
      'character d/gone',
      'file abs/name',
      'directory d trusted.overlay.opaque',
    ]);
    assert.equal(entries.at(-1)?.mode, 0o750);
  });

  it('keeps a member that the same layer also whites out', () => {
    const after = imported([tarEntry({ path: 'f', type: 'file' }), tarEntry({ path: '.wh.f', type: 'file' })]);
    assert.deepEqual(after.map(said), ['file f']);
    const folder = imported([tarEntry({ path: '.wh.d', type: 'file' }), tarEntry({ path: 'd', type: 'directory' })]);
    assert.deepEqual(folder.map(said), ['character d', 'directory d', 'directory d trusted.overlay.opaque']);
  });

  it('drops attributes that overlayfs or a security module would believe', () => {
    const hostile = ['trusted.overlay.redirect', 'trusted.overlay.metacopy', 'user.overlay.opaque', 'security.selinux'];
    const xattrs = new Map([...hostile, 'security.capability'].map((name) => [name, Buffer.from('y')]));
    const entries = imported([tarEntry({ path: 'd', type: 'directory', xattrs })]);
    assert.deepEqual(entries.map(said), ['directory d security.capability']);
  });

  const link = tarEntry({ path: 'l', type: 'symlink', linkTarget: '/etc' });
  const hostile: Readonly<Record<string, readonly TarEntry[]>> = {
    'a name that climbs out': [tarEntry({ path: '../x', type: 'file' })],
    'a name that climbs out on the way': [tarEntry({ path: 'a/../../x', type: 'file' })],
    'a file below a symbolic link': [link, tarEntry({ path: 'l/passwd', type: 'file' })],
    'a folder below a symbolic link': [link, tarEntry({ path: 'l/a/b', type: 'directory' })],
    'a whiteout below a symbolic link': [link, tarEntry({ path: 'l/.wh.passwd', type: 'file' })],
    'an opaque marker below a symbolic link': [link, tarEntry({ path: 'l/.wh..wh..opq', type: 'file' })],
    'a hard link to a file outside': [tarEntry({ path: 'h', type: 'hardlink', linkTarget: '../../etc/shadow' })],
    'a hard link through a symbolic link': [link, tarEntry({ path: 'h', type: 'hardlink', linkTarget: 'l/shadow' })],
    'a hard link to the root': [tarEntry({ path: 'h', type: 'hardlink', linkTarget: '/' })],
    'a whiteout in disguise': [tarEntry({ path: 'c', type: 'character' })],
    'a whiteout of nothing': [tarEntry({ path: '.wh.', type: 'file' })],
    'a whiteout of the parent': [tarEntry({ path: 'a/.wh...', type: 'file' })],
  };
  for (const [what, entries] of Object.entries(hostile)) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => imported(entries),
        (error) => error instanceof UserError && error.code === 'archive-invalid',
      );
    });
  }

  it('gives back an exported layer', () => {
    const entries = [
      tarEntry({ path: 'd', type: 'directory', mode: 0o700, xattrs: OPAQUE }),
      tarEntry({ path: 'd/f', type: 'file', size: 3 }),
      tarEntry({ path: 'gone', type: 'character' }),
    ];
    const again = imported(exported(entries));
    assert.deepEqual(again.map(said), [
      'directory d',
      'file d/f',
      'character gone',
      'directory d trusted.overlay.opaque',
    ]);
  });
});

function exported(entries: readonly TarEntry[]): readonly TarEntry[] {
  return entries.flatMap(createLayerExport());
}

function imported(entries: readonly TarEntry[]): readonly TarEntry[] {
  const layer = createLayerImport();
  return [...entries.flatMap((entry) => layer.entry(entry)), ...layer.end()];
}

function said(entry: TarEntry): string {
  return [entry.type, entry.path, ...entry.xattrs.keys()].join(' ');
}
