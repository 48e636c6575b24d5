import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fillTemplate } from './template.ts';

const VALUES: Readonly<Record<string, string>> = { A: 'a', EMPTY: '', PATH_: '/bin:$B' };
const fill = (text: string) => fillTemplate(text, (name) => VALUES[name]);

test('variables are filled in as Compose fills them in', () => {
  const table: readonly (readonly [string, string])[] = [
    ['$A ${A} $Axy', 'a a '],
    ['${A:-d} ${EMPTY:-d} ${NO:-d}', 'a d d'],
    ['${A-d} ${EMPTY-d} ${NO-d}', 'a  d'],
    ['${A:+x} ${EMPTY:+x} ${NO:+x}', 'x  '],
    ['${A+x} ${EMPTY+x} ${NO+x}', 'x x '],
    ['${A:?no} ${EMPTY?no}', 'a '],
    ['${NO:-${EMPTY:-${A}b}c}d', 'abcd'],
    ['${NO:-a:-b?c}', 'a:-b?c'],
    ['$$A $${A} $$$A', '$A ${A} $a'],
    ['1$ $1 $- $', '1$ $1 $- $'],
    ['${PATH_}', '/bin:$B'],
    ['${NO:-{}}', '{}'],
  ];
  for (const [text, expected] of table) assert.equal(fill(text), expected, text);
});

test('what cannot be filled in says why', () => {
  for (const text of ['${', '${}', '${A', '${1}', '${A!b}', '${NO:?}', '${EMPTY:?say why}', '${NO:-${}}']) {
    assert.equal(typeof fill(text), 'object', text);
  }
  assert.match((fill('${EMPTY:?say $A}') as { problem: string }).problem, /EMPTY has no value: say a$/);
});

test('any text gives a text or a problem, never an exception', () => {
  const piece = fc.constantFrom('$', '{', '}', ':', '-', '?', '+', 'A', 'NO', ' ', '${', '${A:-', '$$', 'x', '\n');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
      const result = fill(pieces.join(''));
      return typeof result === 'string' || result.problem.length > 0;
    }),
    { numRuns: 2_000 },
  );
  assert.equal(typeof fill('${A:-'.repeat(100_000)), 'object');
});

test('text with its dollars doubled comes back as it was', () => {
  fc.assert(fc.property(fc.string(), (text) => fill(text.replaceAll('$', '$$$$')) === text));
});
