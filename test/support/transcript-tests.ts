import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { run } from '../../src/lib/process.ts';
import { cannotRunDockerCli } from './docker-engine.ts';
import { openShell, readTranscript, type Shell } from './docker-transcript.ts';
import { enginesUnderTest } from './engines.ts';

/** The transcripts were recorded with dockerd 28.5.2 and its client. */
const RECORDED_MAJOR = 28;

/**
 * The same commands of the real docker CLI, word for word the same answers: of ours, and of a dockerd of today, where
 * there is one.
 * @param name of a file beside this one
 */
export async function describeTranscript(name: string): Promise<void> {
  const steps = readTranscript(new URL(name, import.meta.url));
  for (const engine of await enginesUnderTest()) {
    const skip = cannotRunDockerCli() || engine.skip || (engine.name === 'a real dockerd' && (await isOlder()));
    describe(`${name} with ${engine.name}`, { skip }, () => {
      let opened: Awaited<ReturnType<typeof engine.open>> | undefined;
      let shell: Shell | undefined;
      before(async () => {
        opened = await engine.open();
        shell = openShell(opened.socketPath);
      });
      after(async () => {
        shell?.[Symbol.dispose]();
        await opened?.[Symbol.asyncDispose]();
      });
      for (const { command, expected } of steps) {
        it(command, async () => {
          const printed = await shell!.run(command);
          if (expected !== undefined) assert.equal(printed, expected);
        });
      }
    });
  }
}

/** Another dockerd has other words. */
async function isOlder(): Promise<string | false> {
  const { stdout } = await run(['dockerd', '--version']).catch(() => ({ stdout: '' }));
  const major = Number(/\d+/.exec(stdout)?.[0] ?? 0);
  return major === RECORDED_MAJOR ? false : `needs dockerd ${RECORDED_MAJOR}, as the transcript was recorded`;
}
