import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../../lib/errors.ts';
import { expandWord, expandWords } from './expand.ts';
import { type Instruction, parseDockerfile } from './parse.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const DATA = join(process.env['BASCULE_SHARED'] ?? resolve(ROOT, '../shared'), 'data/dockerfile-parser');
const skip = existsSync(DATA) ? false : `the reference parser's test data is not at ${DATA}`;

describe('the reference parser', { skip }, () => {
  for (const name of skip === false ? readdirSync(join(DATA, 'testfiles')) : []) {
    it(`gives the same tree for ${name}`, () => {
      const text = readFileSync(join(DATA, 'testfiles', name, 'Dockerfile'), 'utf8');
      const expected = readFileSync(join(DATA, 'testfiles', name, 'result'), 'utf8');
      assert.equal(parseDockerfile(text).instructions.map(dump).join('\n').trim(), expected.trim());
    });
  }

  for (const name of skip === false ? readdirSync(join(DATA, 'testfiles-negative')) : []) {
    it(`refuses ${name} too`, () => {
      const text = readFileSync(join(DATA, 'testfiles-negative', name, 'Dockerfile'), 'utf8');
      assert.throws(() => parseDockerfile(text), UserError);
    });
  }

  // shows: ${v:-w} ${v-w}, ${v:+w} ${v+w}, ${v:?w} ${v?w}, ${v#p} ${v##p}, ${v%p} ${v%%p}, ${v/p/r} ${v//p/r}
  it('expands variables in the same way', () => {
    const variables: Record<string, string> = { PWD: '/home', SHELL: 'bash', KOREAN: '한국어', NULL: '' };
    let cases = 0;
    for (const line of readFileSync(join(DATA, 'envVarTest'), 'utf8').split('\n')) {
      const [platform, source, expected] = line.split('|').map((part) => part.trim());
      if (line.startsWith('#') || platform === 'W' || source === undefined || expected === undefined) continue;
      cases++;
      assert.equal(
        orError(() => expandWord(source, (name) => variables[name])),
        expected,
        source,
      );
    }
    assert.ok(cases > 60, `${cases} cases`);
  });

  it('splits words in the same way', () => {
    const variables: Record<string, string> = {};
    let cases = 0;
    for (const line of readFileSync(join(DATA, 'wordsTest'), 'utf8').split('\n')) {
      const definition = /^ENV ([^=]+)=(.*)$/.exec(line);
      if (definition !== null) variables[definition[1]!] = definition[2]!;
      const [source, expected] = line.split('|');
      if (line.startsWith('#') || source === undefined || expected === undefined) continue;
      cases++;
      const actual = orError(() => expandWords(source.trim(), (name) => variables[name]).join(','));
      assert.equal(actual, expected.trimStart(), source);
    }
    assert.ok(cases > 20, `${cases} cases`);
  });
});

function orError(work: () => string): string {
  try {
    return work();
  } catch {
    return 'error';
  }
}

function dump(instruction: Instruction): string {
  const flags =
    instruction.flags.length === 0 ? '' : ` [${instruction.flags.map(({ text }) => quote(text)).join(' ')}]`;
  if (instruction.child !== undefined) return `(${instruction.keyword}${flags} ${dump(instruction.child)})`;
  return `(${[instruction.keyword + flags, ...instruction.args.map(quote)].join(' ')})`;
}

/** As Go's strconv.Quote. */
function quote(text: string): string {
  const named: Record<string, string> = {
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
  };
  return `"${[...text]
    .map((character) => {
      if (character === '"' || character === '\\') return `\\${character}`;
      const code = character.codePointAt(0)!;
      return named[character] ?? (code < 32 ? `\\x${code.toString(16).padStart(2, '0')}` : character);
    })
    .join('')}"`;
}
