import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanPath, expandHome } from './paths.ts';
import { resolvePlain } from './scalar.ts';
import { splitWords } from './shell.ts';
import { formatGoDuration, parseBytes, parseComposeDuration } from './units.ts';

test('plain scalars are what the YAML reader of docker compose makes of them', () => {
  const table: readonly (readonly [string, unknown, string?])[] = [
    ['~', null],
    ['', null],
    ['yes', 'yes'],
    ['True', true],
    ['0440', 288, '288'],
    ['0o17', 15, '15'],
    ['0x1F', 31, '31'],
    ['0b11', 3, '3'],
    ['1_000', 1000, '1000'],
    ['08', 8, '8'],
    ['1.10', 1.1, '1.1'],
    ['1e3', 1000, '1000'],
    ['1e10', 1e10, '1e+10'],
    ['0.00001', 1e-5, '1e-05'],
    ['.inf', Infinity, '+Inf'],
    ['18446744073709551616', 2 ** 64, '18446744073709551616'],
    ['80:80', '80:80'],
    ['1.2.3', '1.2.3'],
    ['2020-01-01', '2020-01-01'],
    ['-', '-'],
  ];
  for (const [source, value, text] of table) {
    const resolved = resolvePlain(source);
    assert.equal(resolved.value, value, source);
    if (text !== undefined) assert.equal('text' in resolved && resolved.text, text, source);
  }
});

test('sizes count in powers of 1024', () => {
  const table = [
    ['10', 10],
    ['1k', 1024],
    ['1KiB', 1024],
    ['64MB', 2 ** 26],
    ['1.5g', 1.5 * 2 ** 30],
    ['1b', 1],
    ['x', undefined],
    ['1x', undefined],
  ] as const;
  for (const [text, bytes] of table) assert.equal(parseBytes(text), bytes, text);
});

test('durations are printed as Go prints them, and read back', () => {
  const table = [
    ['90s', '1m30s'],
    ['1d', '24h0m0s'],
    ['1w2d', '216h0m0s'],
    ['1500ms', '1.5s'],
    ['100us', '100µs'],
    ['0', '0s'],
    ['1h0.5s', '1h0m0.5s'],
  ] as const;
  for (const [text, printed] of table) assert.equal(formatGoDuration(parseComposeDuration(text) ?? -1), printed, text);
  for (const text of ['', '5', 's', '1 s', '-1s', 'd']) assert.equal(parseComposeDuration(text), undefined, text);
  fc.assert(fc.property(fc.nat(10 ** 9), (ms) => parseComposeDuration(formatGoDuration(ms)) === ms));
});

test('command lines are split as docker compose splits them', () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    [String.raw`a b'c d'e`, ['a', 'bc de']],
    [String.raw`a\ b c`, ['a b', 'c']],
    [String.raw`"a\nb" "a\"b" 'x\n' `, ['anb', 'a"b', String.raw`x\n`]],
    ['a ""', ['a', '']],
    ['a $(b c) # d', ['a', '$(b c)', '#', 'd']],
    ['', []],
  ];
  for (const [line, words] of table) assert.deepEqual(splitWords(line), words, line);
  for (const line of ['a "b', "a 'b", 'a \\', 'a | b', 'a && b', 'a > b', 'a;b', '$(a'])
    assert.equal(typeof splitWords(line), 'string', line);
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      const quoted = words.map((word) => `'${word.replaceAll("'", `'"'"'`)}'`).join(' ');
      assert.deepEqual(splitWords(quoted), words);
    }),
  );
});

test('paths are cleaned', () => {
  const table = [
    ['/a/../b/./c//', '/b/c'],
    ['/..', '/'],
    ['a/..', '.'],
    ['../a/..', '..'],
    ['', '.'],
  ] as const;
  for (const [path, clean] of table) assert.equal(cleanPath(path), clean, path);
  assert.equal(expandHome('~/x', '/home/me'), '/home/me/x');
  assert.equal(expandHome('~/x', undefined), '~/x');
});
