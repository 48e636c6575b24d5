import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { isWorthTidying } from './tidy-memory.ts';

const MB = 2 ** 20;

describe('tidying memory', () => {
  it('is for idle moments, and for what is worth it', () => {
    assert.equal(isWorthTidying({ busy: 0.01, bytes: 90 * MB, bytesThen: 50 * MB }), true);
    assert.equal(isWorthTidying({ busy: 0.5, bytes: 90 * MB, bytesThen: 50 * MB }), false);
    assert.equal(isWorthTidying({ busy: 0.01, bytes: 55 * MB, bytesThen: 50 * MB }), false);
  });

  it('collects what a process that has become idle would keep', async () => {
    const module = new URL('./tidy-memory.ts', import.meta.url).href;
    // Alive for long enough to be in the old generation; what ends the process is that it was collected.
    const program = `
      const { keepMemoryTidy } = await import(${JSON.stringify(module)});
      let kept = Array.from({ length: 200_000 }, (_, at) => ({ at }));
      const seen = new WeakRef(kept);
      for (let turn = 0; turn < 40; turn++) Array.from({ length: 100_000 }, (_, at) => ({ at }));
      kept = undefined;
      using tidy = keepMemoryTidy(100);
      const held = new Promise((resolve) => {
        const look = setInterval(() => {
          if (seen.deref() !== undefined) return;
          clearInterval(look);
          resolve();
        }, 200);
      });
      await held;
      console.log('collected');`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
      { timeout: 60_000 },
    );
    assert.equal(stdout, 'collected\n');
  });
});
