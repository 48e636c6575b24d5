import { isAbsolute, relative } from 'node:path';
import type Docker from 'dockerode';
import type { ImageBuildOptions, ImageInspectInfo } from 'dockerode';
import { saidBy } from '../../../lib/engine-answer.ts';
import { messageOf, UserError } from '../../../lib/errors.ts';
import type { ImageBuild, ResolvedImage, ResolveOptions } from '../fleet.ts';
import { INLINE, packContext, requireContext } from './build-context.ts';
import { call, callIfThere, callUnless, explained } from './call.ts';
import { jsonLinesOf } from './streams.ts';

export async function findImage(docker: Docker, reference: string): Promise<ResolvedImage | undefined> {
  const info = await callIfThere(`inspect image ${reference}`, () => docker.getImage(reference).inspect());
  return info === undefined ? undefined : resolvedOf(info);
}

function resolvedOf(info: ImageInspectInfo): ResolvedImage {
  const repoDigest = info.RepoDigests?.[0];
  return { id: info.Id, sizeBytes: info.Size, ...(repoDigest === undefined ? {} : { repoDigest }) };
}

export async function resolveImage(docker: Docker, reference: string, o: ResolveOptions): Promise<ResolvedImage> {
  const there = o.pull === 'always' ? undefined : await findImage(docker, reference);
  if (there !== undefined) return there;
  if (o.pull === 'never')
    throw imageMissing(reference, 'it is not on this machine, and pull_policy forbids to pull it');
  await pull(docker, reference, o);
  return (await findImage(docker, reference)) ?? fail(imageMissing(reference, 'it is not there after it was pulled'));
}

interface PullLine {
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly total?: number };
}

async function pull(docker: Docker, reference: string, o: ResolveOptions): Promise<void> {
  try {
    const options = { abortSignal: o.signal, ...(o.platform === undefined ? {} : { platform: o.platform }) };
    const stream = await docker.pull(tagged(reference), options);
    for await (const message of jsonLinesOf(stream as AsyncIterable<Buffer>)) {
      const { status, error, progressDetail } = message as PullLine;
      if (error !== undefined) throw imageMissing(reference, error);
      const isFigure = progressDetail?.total !== undefined; // of a bar that is drawn, many a second
      if (status !== undefined && !isFigure) o.onOutput(status);
    }
  } catch (error) {
    if (o.signal.aborted || error instanceof UserError) throw error;
    const known = explained(`pull ${reference}`, error);
    if (known instanceof UserError && known.kind === 'unavailable') throw known;
    throw imageMissing(reference, saidBy(error), error);
  }
}

/** Without a tag the API would pull every tag that there is. */
function tagged(reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? reference : `${reference}:latest`;
}

export async function tagImage(docker: Docker, imageId: string, reference: string): Promise<void> {
  const colon = reference.lastIndexOf(':');
  const [repo, tag] = [reference.slice(0, colon), reference.slice(colon + 1)];
  await call(`tag ${imageId} as ${reference}`, () => docker.getImage(imageId).tag({ repo, tag }));
}

export async function untagImage(docker: Docker, reference: string): Promise<void> {
  await callUnless([404, 409], `remove image ${reference}`, () => docker.getImage(reference).remove());
}

/** Builds by the engine's own builder; a folder goes to the embedded engine as it is, to others as a tar. */
export async function buildImage(docker: Docker, build: ImageBuild, embedded: boolean): Promise<ResolvedImage> {
  const seen = await runBuild(docker, build, embedded);
  const reference = seen.imageId ?? build.tags[0] ?? '';
  return (await findImage(docker, reference)) ?? fail(buildFailed(build, ['the engine named no image'], undefined));
}

interface BuildOutcome {
  readonly imageId?: string;
}

async function runBuild(docker: Docker, build: ImageBuild, embedded: boolean): Promise<BuildOutcome> {
  const tail: string[] = [];
  let imageId: string | undefined;
  const say = (line: string): void => {
    build.onOutput(line);
    tail.push(line);
    if (tail.length > 20) tail.shift();
  };
  const stream = await openBuild(docker, build, embedded);
  for await (const message of jsonLinesOf(stream)) {
    const { stream: output, status, error, aux } = message as BuildMessage;
    if (error !== undefined) throw buildFailed(build, [...tail, error.trim()], undefined);
    if (aux?.ID !== undefined) imageId = aux.ID;
    for (const line of (output ?? status ?? '').split('\n')) if (line.trim() !== '') say(line.trimEnd());
  }
  return imageId === undefined ? {} : { imageId };
}

interface BuildMessage {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
  readonly aux?: { readonly ID?: string };
}

async function openBuild(docker: Docker, build: ImageBuild, embedded: boolean): Promise<AsyncIterable<Buffer>> {
  const { context, dockerfile = 'Dockerfile', dockerfile_inline: inline } = build.build;
  const file = inline !== undefined ? INLINE : isAbsolute(dockerfile) ? relative(context, dockerfile) : dockerfile;
  const options = { ...optionsOf(build), dockerfile: file };
  const folder = { directory: context, dockerfile: file, inline };
  await requireContext(build.service, folder);
  try {
    if (embedded && inline === undefined) {
      return (await buildFolder(docker, { ...options, remote: `file://${context}` })) as AsyncIterable<Buffer>;
    }
    const archive = await packContext(folder, build.signal);
    return (await docker.buildImage(archive, options)) as AsyncIterable<Buffer>;
  } catch (error) {
    if (build.signal.aborted || error instanceof UserError) throw error;
    throw refusedBuild(build, error);
  }
}

/** The client library has no type for a build without a body, though it makes one. */
function buildFolder(docker: Docker, options: ImageBuildOptions): Promise<NodeJS.ReadableStream> {
  return docker.buildImage(undefined as unknown as NodeJS.ReadableStream, options);
}

function optionsOf({ build, tags, labels, noCache, platform, signal }: ImageBuild): ImageBuildOptions {
  const given = Object.entries(build.args ?? {}).filter((entry): entry is [string, string] => entry[1] !== null);
  return {
    t: [...tags, ...(build.tags ?? [])] as unknown as string, // repeated in the query, as the API wants it
    buildargs: Object.fromEntries(given),
    labels: { ...build.labels, ...labels },
    nocache: noCache || build.no_cache === true,
    pull: build.pull === true,
    rm: true,
    forcerm: true,
    abortSignal: signal,
    ...(build.target === undefined ? {} : { target: build.target }),
    ...(build.network === undefined ? {} : { networkmode: build.network }),
    ...(build.shm_size === undefined ? {} : { shmsize: Number(build.shm_size) }),
    ...(build.extra_hosts === undefined ? {} : { extrahosts: build.extra_hosts.join(',') }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function refusedBuild(build: ImageBuild, error: unknown): UserError {
  const known = explained(`build ${build.service}`, error);
  if (known instanceof UserError && known.kind === 'unavailable') return known;
  return buildFailed(build, [messageOf(known)], error);
}

function buildFailed(build: ImageBuild, tail: readonly string[], cause: unknown): UserError {
  return new UserError({
    code: 'build-failed',
    kind: 'failed',
    message: `services.${build.service}: the image could not be built: ${tail.at(-1) ?? 'no reason given'}`,
    fix: `Correct ${build.build.context}/${build.build.dockerfile ?? 'Dockerfile'} where the output above points, and deploy again. Nothing was changed.`,
    cause,
    details: { service: build.service, output: tail },
  });
}

function imageMissing(reference: string, reason: string, cause?: unknown): UserError {
  return new UserError({
    code: 'image-missing',
    kind: 'not-found',
    message: reason.includes(reference) ? reason : `the image "${reference}" cannot be had: ${reason}`,
    fix: 'Check the name and tag; build or load the image on this machine, or make sure that its registry can be reached.',
    cause,
    details: { reference },
  });
}

function fail(error: Error): never {
  throw error;
}
