import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../lib/errors.ts';
import { parseDotenv } from './dotenv.ts';

const parse = (text: string) => parseDotenv(text, { path: '/p/.env', lookup: (name) => ({ HOME: '/root' })[name] });

test('lines are read as docker compose reads them', () => {
  const table: readonly (readonly [string, Record<string, string>])[] = [
    ['A=a #c', { A: 'a' }],
    ['A=a#c', { A: 'a#c' }],
    ['A=#c', { A: '#c' }],
    ['A="x" # c', { A: 'x' }],
    ['A=x\nB=$A-${A}y', { A: 'x', B: 'x-xy' }],
    ['export A=1\nexport  B = 2 ', { A: '1', B: '2' }],
    ['A: 5\nB:b\nC=b:c\nD==b', { A: '5', B: 'b', C: 'b:c', D: '=b' }],
    ['# c\n\n  A=1\r\nB=2', { A: '1', B: '2' }],
    ['HOME\nNOPE\n', { HOME: '/root' }],
    ['A.B-C=1', { 'A.B-C': '1' }],
    ['A="multi\nline"\nB=\'multi\nline\'', { A: 'multi\nline', B: 'multi\nline' }],
    [String.raw`A="a\nb\tc\\d\"e\$F\qx"`, { A: 'a\nb\tc\\d"e$F\\qx' }],
    [String.raw`A='a\nb\'c $x'`, { A: "a\\nb'c $x" }],
    ['A=ab$1cd$\nB=pa$$word', { A: 'ab$1cd$', B: 'pa$word' }],
  ];
  for (const [text, expected] of table) assert.deepEqual(parse(text), expected, text);
  assert.deepEqual(parse('A=${X:-d}'), { A: 'd' });
  assert.deepEqual(parse('exportA=1'), { exportA: '1' });
});

test('raw format takes the rest of the line as it stands', () => {
  assert.deepEqual(parseDotenv('A="v" # $x\nB=1', { format: 'raw' }), { A: '"v" # $x', B: '1' });
});

test('a broken line is named', () => {
  for (const [text, place] of [
    ['A=1\nB="x', /^\.env:2:3: a " is never closed/],
    ['A B=1', /^\.env:1:1: the name "A B" holds a blank/],
    ['A=1\nA$=2', /^\.env:2:2: unexpected "\$" in a name/],
    ['=1', /^\.env:1:1: a name is missing/],
    ['A="x"y', /^\.env:1:6: unexpected text after a closing quote: y/],
    ['A=${', /^\.env:1:3: invalid interpolation/],
  ] as const) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof UserError && place.test(error.message),
      text,
    );
  }
});

test('any text is read or refused with a user error', () => {
  const piece = fc.oneof(
    fc.constantFrom('A', '=', '"', "'", '\\', '\n', ' ', '#', '$', '{', '}', ':', 'export ', '\r\n'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      try {
        parse(pieces.join(''));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a literal value comes back as it was', () => {
  const value = fc.string().filter((text) => !text.includes("'") && !text.includes('\\') && !text.includes('\r'));
  fc.assert(fc.property(value, (text) => parse(`A='${text}'`)['A'] === text));
});
