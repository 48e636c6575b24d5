import { unreachable, UserError } from '../../../lib/errors.ts';
import { digestOf } from '../../../lib/oci/index.ts';
import type { ImageRecord } from '../../image/index.ts';
import { imageConfigOf, registerImage } from '../execute/finish.ts';
import type { Session } from '../execute/session.ts';
import type { StageResult } from '../execute/stage-result.ts';
import type { BuildOutput, BuildResult } from '../face.ts';
import { attachDocuments } from './attach-documents.ts';
import { writeArchive } from './archive.ts';
import { writeFiles } from './files.ts';
import { registryFor } from './registry-for.ts';

/** Puts the target stage where the request wants it: into the image store when it says nothing. */
export async function writeOutputs(session: Session, result: StageResult): Promise<BuildResult> {
  const { request } = session;
  const outputs = request.outputs ?? [{ kind: 'image' as const }];
  const config = imageConfigOf(result, session);
  let image: ImageRecord | undefined;
  const tags = new Set<string>();
  for (const output of outputs) {
    if (output.kind === 'image') {
      const references = output.tags ?? request.tags;
      for (const tag of references) tags.add(tag);
      image = await registerImage(session, result, { config, references });
      await attachDocuments(session, image);
      if (output.isPushed === true) await push(session, references);
    } else await writeElsewhere(session, { output, result, configBytes: Buffer.from(JSON.stringify(config)) });
  }
  return { imageId: image?.id ?? digestOf(JSON.stringify(config)), image, tags: [...tags] };
}

async function push(session: Session, references: readonly string[]): Promise<void> {
  const { request, signal } = session;
  if (references.length === 0) throw nothingToPush();
  for (const reference of references) {
    const onOutput = (line: string): void => request.onProgress({ kind: 'status', what: reference, line });
    await registryFor(session, reference).push(reference, { signal, onOutput });
  }
}

function nothingToPush(): UserError {
  return new UserError({
    code: 'push-without-name',
    kind: 'invalid',
    message: 'the image is to be pushed, and has no name that says where to',
    fix: 'Give it one, e.g. --tag registry.example.org/team/app:1.',
  });
}

interface Writing {
  readonly output: Exclude<BuildOutput, { readonly kind: 'image' }>;
  readonly result: StageResult;
  readonly configBytes: Buffer;
}

async function writeElsewhere(session: Session, { output, result, configBytes }: Writing): Promise<void> {
  session.request.onProgress({ kind: 'status', what: 'output', line: `writing ${output.path}` });
  switch (output.kind) {
    case 'oci':
    case 'docker': {
      const tags = output.tags ?? session.request.tags;
      return await writeArchive(session, { output, configBytes, layers: result.layers, tags });
    }
    case 'local':
    case 'tar':
      return await writeFiles(session, { output, layers: result.layers });
    default:
      return unreachable(output);
  }
}
