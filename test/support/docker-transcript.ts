import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/lib/process.ts';

/** A command of the transcript and what a client prints for it. */
export interface Step {
  /** A line for the shell. */
  readonly command: string;
  /** Standard output, then the lines of the error stream, marked; last the exit code. Undefined: only done, not compared. */
  readonly expected: string | undefined;
}

/**
 * Reads a transcript: `$ COMMAND`, then what it printed up to the next; `# COMMAND` is done without being compared.
 */
export function readTranscript(path: URL): readonly Step[] {
  const steps: { command: string; expected: string | undefined }[] = [];
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const step = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: '' });
    else if (line.startsWith('# ')) steps.push({ command: line.slice(2), expected: undefined });
    else if (step?.expected !== undefined && line !== '') step.expected += `${line}\n`;
  }
  return steps;
}

export interface Shell extends Disposable {
  /** Runs a line; gives what it printed without what differs from time to time. */
  run(command: string): Promise<string>;
}

/** A shell in a folder of its own, whose docker commands go to one engine. */
export function openShell(socket: string): Shell {
  const folder = mkdtempSync('/var/tmp/bascule-transcript-');
  const env = {
    ...process.env,
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_BUILDKIT: '0',
    DOCKER_CONFIG: join(folder, 'config'),
  };
  return {
    run: async (command) => {
      const { stdout, stderr, exitCode } = await run(['sh', '-c', command], { cwd: folder, env, timeoutMs: 60_000 });
      return normalised(stdout, stderr, exitCode);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What depends on the version of the client, not on the engine. */
const OF_THE_CLIENT =
  /^(?:exit status \d+|(?:Run|See) 'docker \w+ --help'.*|DEPRECATED:.*|Install the buildx.*|environment-variable.*|.*(?:legacy builder|BuildKit is currently).*|.*docs\.docker\.com.*|)$/;

const OLD_CLIENT: readonly (readonly [RegExp, string])[] = [
  [/^(?:(?:docker: )?Error response from daemon: |Error: |error: )/, 'Error: '],
  [/^Error: No such container:path: (\w+):(\S+)$/, 'Error: Could not find the file $2 in container $1'],
  [/^Error: No such volume: (\w+)$/, 'Error: get $1: no such volume'],
  [/^(Error: .*?)\.$/, '$1'],
];

/** Ids, times, sizes, ports and addresses. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b(?:sha256:)?[0-9a-f]{64}\b/g, '<ID>'],
  [/\b[0-9a-f]{12}\b/g, '<SHORT-ID>'],
  [/:[0-9a-f]{16}…/g, ':<DIGEST>…'],
  [/\b10\.(?:89|21[0-9])\.\d+\.\d+/g, '<ADDRESS>'],
  [/\b(?:About |Less than )?(?:an?|\d+) (?:second|minute)s?\b/g, '<DURATION>'],
  [/(127\.0\.0\.1|0\.0\.0\.0):\d{5}\b/g, '$1:<PORT>'],
  [/\d+(?:\.\d+)?kB$/g, '<SIZE>'],
];

function normalised(stdout: string, stderr: string, exitCode: number): string {
  const printed = linesOf(stdout);
  const complained = linesOf(stderr)
    .map((line) => replaced(line.trim(), OLD_CLIENT))
    .filter((line) => !OF_THE_CLIENT.test(line))
    .map((line) => `2> ${line}`);
  return [...printed, ...complained, `[${exitCode}]`].map((line) => `${replaced(line, VARYING)}\n`).join('');
}

function linesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

function replaced(line: string, rules: readonly (readonly [RegExp, string])[]): string {
  return rules.reduce((text, [pattern, by]) => text.replace(pattern, by), line);
}
