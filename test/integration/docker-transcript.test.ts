import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { run } from '../../src/lib/process.ts';
import { cannotRunDockerCli } from '../support/docker-engine.ts';
import { openShell, readTranscript, type Shell } from '../support/docker-transcript.ts';
import { enginesUnderTest } from '../support/engines.ts';

/** As recorded with dockerd 28.5.2 and its client. */
const STEPS = readTranscript(new URL('../support/docker-transcript.txt', import.meta.url));
const RECORDED_MAJOR = 28;

/** The same commands of the real docker CLI, word for word the same answers: of ours, and of a dockerd of today. */
for (const engine of await enginesUnderTest()) {
  const skip = cannotRunDockerCli() || engine.skip || (engine.name === 'a real dockerd' && (await isOlder()));
  describe(`a transcript of the docker CLI with ${engine.name}`, { skip }, () => {
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
    for (const { command, expected } of STEPS) {
      it(command, async () => {
        const printed = await shell!.run(command);
        if (expected !== undefined) assert.equal(printed, expected);
      });
    }
  });
}

/** Another dockerd has other words. */
async function isOlder(): Promise<string | false> {
  const { stdout } = await run(['dockerd', '--version']).catch(() => ({ stdout: '' }));
  const major = Number(/\d+/.exec(stdout)?.[0] ?? 0);
  return major === RECORDED_MAJOR ? false : `needs dockerd ${RECORDED_MAJOR}, as the transcript was recorded`;
}
