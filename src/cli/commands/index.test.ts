import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import type { RunAction } from '../command.ts';
import { commandsFor, commandWord } from './index.ts';

const run: RunAction = () => async () => {};

async function namesFor(words: readonly string[]): Promise<readonly string[]> {
  const program = new Command('bascule').enablePositionalOptions();
  for (const add of await commandsFor(words)) add(program, run);
  return program.commands.map((command) => command.name());
}

describe('commands', () => {
  it('are found behind options and their values', () => {
    const lines = ['ps', '-p ps down', '--json --root=/x -f a.yaml up', '-fa.yaml logs ps', '--help', '-p'];
    assert.deepEqual(
      lines.map((line) => commandWord(line.split(' '))),
      ['ps', 'down', 'up', 'logs', undefined, undefined],
    );
  });

  it('are read alone when they are called, and all of them for help', async () => {
    assert.deepEqual(await namesFor(['--json', 'ps', '-a']), ['ps']);
    const all = await namesFor(['--help']);
    assert.deepEqual(await namesFor(['pss']), all);
    for (const name of all) assert.ok((await namesFor([name])).includes(name), name);
  });

  it('are all entered under every name that they add', async () => {
    const all = await namesFor([]);
    for (const name of all) assert.ok((await namesFor([name])).length < all.length, name);
  });
});
