import { mkdtemp, rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { UserError } from '../../lib/errors.ts';
import { writeFileAtomic } from '../../lib/files.ts';
import type { Client, ImageBuildResult } from '../../server/client/index.ts';
import { collect, collectAssignment } from '../arguments.ts';
import {
  parseBuildArg,
  parseCacheFrom,
  parseCacheTo,
  parseOutput,
  parseSecret,
  parseSize,
  parseSsh,
} from '../build/options.ts';
import { type BuildOptions, type PreparedBuild, prepareBuild } from '../build/spec.ts';
import type { RunAction } from '../command.ts';
import { type BuildProgress, buildProgressOn, type ProgressMode } from '../output/build-progress.ts';
import type { Session } from '../session.ts';

/** `bascule image build`: what `docker build` does. */
export function addImageBuild(image: Command, run: RunAction): void {
  const command = image
    .command('build')
    .summary('build an image from a Dockerfile')
    .description(
      'Builds an image as `docker build` does. The daemon reads a folder where it is: nothing is copied or sent.\n' +
        'The context may also be `-` (a tar, or a Dockerfile alone, on standard input), a git repository\n' +
        '(https://host/app.git#branch:folder), or the URL of a tar.',
    )
    .argument('<context>', 'folder, -, git repository or URL');
  for (const option of buildOptions()) command.addOption(option);
  command.action(run((session, place: string, options: BuildOptions) => build(session, place, options)));
}

function buildOptions(): readonly Option[] {
  return [
    new Option('-t, --tag <name:tag>', 'name of the image; several times').argParser(collect),
    new Option('-f, --file <path>', 'Dockerfile (default: Dockerfile in the context), or - for standard input'),
    new Option('--target <stage>', 'build this stage, and what it needs'),
    new Option('--build-arg <name=value>', 'value of an ARG; without one: that of the environment').argParser(
      parseBuildArg,
    ),
    new Option(
      '--build-context <name=place>',
      'files or image of this name: a folder, docker-image://REF, oci-layout://FOLDER, a git repository or URL',
    ).argParser(collectAssignment),
    new Option('--secret <fields>', 'id=NAME[,src=FILE|,env=VARIABLE] for RUN --mount=type=secret').argParser(
      parseSecret,
    ),
    new Option('--ssh <id[=socket]>', 'agent for RUN --mount=type=ssh and git over ssh').argParser(parseSsh),
    new Option(
      '--allow <entitlement>',
      'security.insecure for RUN --security=insecure, network.host for RUN --network=host; several times',
    ).argParser(collect),
    new Option('--label <name=value>', 'label of the image; several times').argParser(collectAssignment),
    new Option('--no-cache', 'do every step anew'),
    new Option('--no-cache-filter <stage>', 'do the steps of this stage anew; several times').argParser(collect),
    new Option('--pull', 'ask the registry for every base image'),
    new Option('--sbom', 'attach a bill of materials (CycloneDX) to the image'),
    new Option('--platform <os/arch>', 'platform of the image'),
    new Option('--network <mode>', 'network of RUN steps: default, none, host, or a network'),
    new Option('--add-host <name:address>', 'entry in /etc/hosts of RUN steps; several times').argParser(collect),
    new Option('--shm-size <size>', 'size of /dev/shm of RUN steps').argParser(parseSize),
    new Option(
      '-o, --output <fields>',
      'type=image|registry|docker|oci|local|tar|cacheonly[,dest=PATH]; a path alone is a folder (default: the image store)',
    ).argParser(parseOutput),
    new Option('--push', 'push the image to the registries that its names say: short for --output type=registry'),
    new Option('--load', 'keep the image in the store, beside other outputs: short for --output type=image'),
    new Option(
      '--cache-from <fields>',
      'type=local,src=FOLDER or type=registry,ref=NAME: use results that are there; several times',
    ).argParser(parseCacheFrom),
    new Option(
      '--cache-to <fields>',
      'type=local,dest=FOLDER or type=registry,ref=NAME, [,mode=max]: leave results there; several times',
    ).argParser(parseCacheTo),
    new Option('--metadata-file <path>', 'write what was built to this file, as JSON'),
    new Option('--iidfile <path>', "write the image's id to this file"),
    new Option('--progress <mode>', 'how progress is shown')
      .choices(['auto', 'plain', 'tty', 'json', 'quiet'])
      .default('auto'),
    new Option('--check', 'check the Dockerfile, and build nothing'),
    new Option('-q, --quiet', "print the image's id alone"),
  ];
}

async function build(session: Session, place: string, options: BuildOptions): Promise<number> {
  const { host } = session;
  await using output = await openStandardOutput(options);
  const prepared = await prepareBuild(host, place, { options, standardOutput: output.path });
  const client = await session.connect();
  const stop = new AbortController();
  let warnings = 0;
  const result = await watch(session, options, async (progress) => {
    using _interrupts = host.onInterrupt(() => stop.abort(cancelled()));
    return await send(client, prepared, {
      signal: stop.signal,
      onEvent(event) {
        if (event.kind === 'warning') warnings += 1;
        progress.show(event);
      },
    });
  });
  if (options.check === true) return told(session, warnings);
  await output.copyTo(host.stdout);
  await writeFiles(session, options, result);
  if (session.json) session.printJson(result);
  else if (!output.isUsed) session.print(`${result.imageId ?? ''}\n`);
  return 0;
}

async function watch<T>(
  session: Session,
  options: BuildOptions,
  work: (progress: BuildProgress) => Promise<T>,
): Promise<T> {
  using progress = buildProgressOn(session.host.stderr, modeOf(session, options), session.style);
  return await work(progress);
}

function modeOf({ json, host }: Session, { quiet, progress }: BuildOptions): ProgressMode {
  if (quiet === true) return 'quiet';
  if (progress !== 'auto') return progress;
  if (json) return 'json';
  return host.stderr.isTTY === true ? 'tty' : 'plain';
}

/** A check has printed its warnings; they are a failure, so that scripts see them. */
function told(session: Session, warnings: number): number {
  if (session.json) session.printJson({ warnings });
  else session.print(warnings === 0 ? 'Check complete, no warnings found.\n' : `Check complete, ${warnings} found.\n`);
  return warnings === 0 ? 0 : 1;
}

/** A folder that the daemon may not read (FUSE, NFS with squashed root) is sent as an archive. */
async function send(
  client: Client,
  { spec, context }: PreparedBuild,
  o: Parameters<Client['buildImage']>[1],
): Promise<ImageBuildResult> {
  try {
    return await client.buildImage({ spec, ...(context === undefined ? {} : { context }) }, o);
  } catch (error) {
    o.signal.throwIfAborted(); // what broke off the call says less
    if (!(error instanceof UserError) || error.code !== 'context-unreadable') throw error;
    if (spec.context.kind !== 'directory') throw error;
    const sent = archiveOf(spec.context.path, o.signal);
    return await client.buildImage({ spec: { ...spec, context: { kind: 'stream' } }, context: sent }, o);
  }
}

function archiveOf(directory: string, signal: AbortSignal): Readable {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const tar = spawn('tar', ['--create', '--file=-', `--directory=${directory}`, '.'], { stdio: [...stdio], signal });
  tar.on('error', (error) => tar.stdout.destroy(error));
  tar.once('exit', (code) => code !== 0 && tar.stdout.destroy(new Error(`tar ended with ${code}`)));
  return tar.stdout;
}

interface StandardOutput extends AsyncDisposable {
  /** Where the daemon writes what is wanted on standard output. */
  readonly path: string;
  readonly isUsed: boolean;
  copyTo(stdout: NodeJS.WritableStream): Promise<void>;
}

async function openStandardOutput({ output = [] }: BuildOptions): Promise<StandardOutput> {
  const isUsed = output.some((each) => 'dest' in each && each.dest === '-');
  const directory = isUsed ? await mkdtemp(join(tmpdir(), 'bascule-output-')) : '';
  const path = join(directory, 'output');
  return {
    path,
    isUsed,
    async copyTo(stdout) {
      if (isUsed) await pipeline(createReadStream(path), stdout, { end: false });
    },
    async [Symbol.asyncDispose]() {
      if (isUsed) await rm(directory, { recursive: true, force: true });
    },
  };
}

async function writeFiles(
  { host }: Session,
  { iidfile, metadataFile }: BuildOptions,
  { imageId = '', tags = [] }: ImageBuildResult,
): Promise<void> {
  if (iidfile !== undefined) await writeFileAtomic(resolve(host.cwd, iidfile), imageId);
  if (metadataFile === undefined) return;
  const metadata = {
    'containerimage.config.digest': imageId,
    ...(tags.length === 0 ? {} : { 'image.name': tags.join(',') }),
  };
  await writeFileAtomic(resolve(host.cwd, metadataFile), `${JSON.stringify(metadata, undefined, 2)}\n`);
}

function cancelled(): UserError {
  return new UserError({
    code: 'build-cancelled',
    kind: 'cancelled',
    message: 'the build was cancelled',
    fix: 'Start it again: finished steps are cached.',
  });
}
