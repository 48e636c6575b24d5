import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIgnore } from './dockerignore.ts';
import { UserError } from './errors.ts';

// shows: .dockerignore
describe('ignore rules', () => {
  for (const [text, ignored, kept] of [
    ['*.md\n!README.md', ['a.md'], ['README.md', 'sub/a.md', 'b.txt']],
    ['**/*.md', ['a.md', 'sub/deep/a.md'], ['a.txt']],
    ['node_modules', ['node_modules', 'node_modules/x/y'], ['sub/node_modules', 'node_modules2']],
    ['*\n!src', ['a', '.git/x'], ['src', 'src/deep/x']],
    ['src\n!src/**/*.ts', ['src/a.js'], ['src/a.ts', 'src/x/a.ts']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['z', 'b/z']],
    ['a?c\n[x-z]\n[^a]1', ['abc', 'y', 'b1'], ['a/c', 'w', 'a1']],
    ['/abs/\n  spaced  \n# comment', ['abs/x', 'spaced'], ['# comment']],
    ['\uFEFFbom\r\n\\#hash', ['bom', '#hash'], ['hash']],
    ['a\n!a/b\na/b/c', ['a/x', 'a/b/c'], ['a/b/d']],
  ] as const) {
    it(`of ${JSON.stringify(text)} hold`, () => {
      const rules = parseIgnore(text);
      for (const path of ignored) assert.ok(rules.ignores(path), `${path} is ignored`);
      for (const path of kept) assert.ok(!rules.ignores(path), `${path} is kept`);
    });
  }

  it('say where they are wrong', () => {
    for (const [text, message] of [
      ['a\n[b', /^\.dockerignore:2: "\[b" is no valid pattern/],
      ['!', /^\.dockerignore:1: "!" names no file/],
    ] as const) {
      assert.throws(
        () => parseIgnore(text),
        (error) => error instanceof UserError && message.test(error.message),
      );
    }
  });
});
