import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ExpansionError, expandVariables, expandWord, expandWords } from './expand.ts';

const VARIABLES: Readonly<Record<string, string>> = { name: 'archive.tar.gz', empty: '', path: '/usr/local/bin' };
const lookup = (name: string): string | undefined => VARIABLES[name];

// shows: ${v:-w} ${v-w}, ${v:+w} ${v+w}, ${v#p} ${v##p}, ${v%p} ${v%%p}, ${v/p/r} ${v//p/r}
describe('expansion', () => {
  for (const [text, expected] of [
    ['${name#*.}', 'tar.gz'],
    ['${name##*.}', 'gz'],
    ['${name%.*}', 'archive.tar'],
    ['${name%%.*}', 'archive'],
    ['${path/local/share}', '/usr/share/bin'],
    ['${path//\\//-}', '-usr-local-bin'],
    ['${name#a?c}', 'hive.tar.gz'],
    ['${empty-x}', ''],
    ['${empty:-x}', 'x'],
    ['${unset-x}', 'x'],
    ['${unset+x}', ''],
    ['${empty+x}', 'x'],
    ['${empty:+x}', ''],
    ['${name#nothing}', 'archive.tar.gz'],
  ] as const) {
    it(`of ${text} is ${JSON.stringify(expected)}`, () => assert.equal(expandWord(text, lookup), expected));
  }

  it('with the other escape character leaves backslashes alone', () => {
    assert.equal(expandWord('c:\\new`$x', lookup, '`'), 'c:\\new$x');
  });

  it('keeps quotes in here-documents, but no backslashes', () => {
    assert.equal(expandVariables(`a "b" 'c' $name \\$name \\n`, lookup), `a "b" 'c' archive.tar.gz $name n`);
  });

  it('ends, with a text or an ExpansionError', () => {
    const texts = fc.string({ unit: fc.constantFrom(...`ab$\{}"'\\:-+?#%/* `) });
    fc.assert(
      fc.property(texts, (text) => {
        try {
          assert.equal(typeof expandWord(text, lookup), 'string');
        } catch (error) {
          assert.ok(error instanceof ExpansionError, `${text}: ${String(error)}`);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('gives back what single quotes hold, as one word', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((text) => !text.includes("'")),
        (text) => {
          assert.deepEqual(expandWords(`'${text}'`, lookup), [text]);
        },
      ),
    );
  });
});
