import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../src/lib/errors.ts';
import { parseIgnore } from '../../src/lib/dockerignore.ts';
import { type ContextPeer, openContextPeer } from '../support/context-peer.ts';
import { isInstalled } from '../support/installed.ts';

const FILES = ['a', 'b', 'ab', '.c', 'a b'].flatMap((top) => [
  `${top}.txt`,
  ...['a', 'b', '.c'].flatMap((middle) => [
    `${top}/${middle}.md`,
    ...['x', 'ab.txt'].map((last) => `${top}/${middle}/${last}`),
  ]),
]);
const ALWAYS = ['Dockerfile', '.dockerignore'];

const part = fc.constantFrom(
  'a',
  'b',
  'ab',
  '.c',
  'a b',
  '*',
  'a*',
  '*b',
  '?',
  '[ab]',
  '[^a]',
  '**',
  'x',
  '*.txt',
  '*.md',
  '..',
  '.',
);
const last = fc.constantFrom('', '/', '/*', '/**', '/*.md', '/x', '.txt', '//x');
const pattern = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), last)
  .map(([parts, end]) => parts.join('/') + end);
/** The classic builder does not look into ignored folders for exceptions with wildcards in a folder's name; BuildKit does. */
const plainPart = fc.constantFrom('a', 'b', 'ab', '.c', 'a b');
const exception = fc
  .tuple(fc.array(plainPart, { maxLength: 2 }), fc.constantFrom('a', 'b', 'x', '*.md', '*.txt', 'a*', '**'))
  .map(([parts, end]) => `!${[...parts, end].join('/')}`);
const line = fc.oneof(
  { weight: 4, arbitrary: pattern },
  { weight: 3, arbitrary: exception },
  fc.constantFrom('# a', ' # a', '', '  ', '/a', 'a/', '! a', '  b  ', '\\.c', '[a', '!', 'a/../b', './a', '**', '*'),
);

describe('.dockerignore beside the docker CLI', { skip: whyNot() }, () => {
  let folder: string;
  let peer: ContextPeer;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bascule-ignore-'));
    peer = await openContextPeer();
    for (const file of [...FILES, 'Dockerfile']) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), 'FROM scratch\n');
    }
  });

  after(async () => {
    await peer[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  // shows: .dockerignore
  it('the same files are sent, and the same rules refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        const text = lines.join('\n');
        writeFileSync(join(folder, '.dockerignore'), text);
        const sent = await peer.pathsSent(folder);
        assert.deepEqual(kept(text), sent && [...sent].filter((path) => !path.endsWith('/')).toSorted());
      }),
      { numRuns: 40, examples: [[['*', '!a/b']], [['**/*.txt', '!ab']], [['!a', 'a/b']], [['a', '!a/a/x', 'a/a']]] },
    );
  });
});

/** Docker's clients before 23 take `!folder` for all that is below it; BuildKit and the newer ones do not. */
function whyNot(): string | false {
  if (!isInstalled('docker')) return 'needs the docker CLI';
  const major = /version (\d+)/.exec(spawnSync('docker', ['--version'], { encoding: 'utf8' }).stdout)?.[1];
  return Number(major) >= 23 ? false : `needs the docker CLI from 23 on, this one is ${major ?? 'unknown'}`;
}

/** Undefined: the rules are refused. */
function kept(text: string): readonly string[] | undefined {
  try {
    const rules = parseIgnore(text);
    return [...FILES.filter((file) => !rules.ignores(file)), ...ALWAYS].toSorted();
  } catch (error) {
    assert.ok(error instanceof UserError);
    return undefined;
  }
}
