import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../../lib/errors.ts';
import type { NewFile } from '../../image/index.ts';
import { isArchive, unpackArchive } from '../files/archive.ts';
import type { Ownership } from '../files/bulk-copy.ts';
import { copySources } from '../files/copy.ts';
import type { CopyOptions } from '../files/copy-options.ts';
import { MANY } from '../files/later-files.ts';
import { asArgument, nameOf } from '../files/names.ts';
import { openFileCalls } from '../files/native.ts';
import type { SelectedSource } from '../files/select.ts';
import { walkTree } from '../files/tree.ts';
import { actionText, keyOf } from '../plan/key.ts';
import type { CopyAction, Origin } from '../plan/plan.ts';
import { shownUrl } from '../sources/http.ts';
import { resolveOwner } from './owner.ts';
import type { Performance } from './performance.ts';
import type { Session } from './session.ts';
import type { GivenSource } from './step-inputs.ts';
import { openTwins, type Twins } from './twins.ts';

/**
 * COPY and ADD into a mounted root.
 * @param base the root whose users `--chown` names; the same, but for `--link`
 * @returns files that are still to come: they are made as the layer is sealed
 */
export async function performCopy(
  { session, inputs }: Performance,
  action: CopyAction,
  { root, base = root }: { readonly root: string; readonly base?: string },
): Promise<Coming> {
  const owner = action.chown === undefined ? undefined : await resolveOwner(base, action.chown);
  const given = action.sources.length === 0 ? [] : await inputs.sources();
  const options: Omit<CopyOptions, 'ownership'> = {
    root,
    destination: action.destination,
    intoDirectory: action.intoDirectory || given.length > 1,
    mode: action.chmod,
    time: session.request.sourceDateEpoch,
    now: session.now(),
    calls: openFileCalls(),
    signal: session.signal,
  };
  let files: readonly NewFile[] = [];
  // What comes after it could stand in the way.
  const isAlone = given.length === 1 && action.inlineFiles.length === 0;
  const isLarge = isAlone && given[0]!.selected.entries.length > MANY;
  const twins = isLarge ? await twinsOf({ session, inputs }, action) : undefined;
  const later = isAlone
    ? {
        take: (taken: readonly NewFile[]) => void (files = taken),
        ...(twins && { twinOf: twins.twinOf, copies: twins.copies }),
      }
    : undefined;
  for (const source of given) {
    refuseNameless(source, action);
    const archive = source.unpacks ? await archiveOf(session, source.selected) : undefined;
    if (archive !== undefined)
      await copySources([archive], { ...options, mode: undefined, ownership: owner ?? 'as-source' });
    else
      await copySources([source.selected], {
        ...options,
        ...(later && { later }),
        ownership: owner ?? ownershipOf(source.origin),
      });
  }
  const inline = action.inlineFiles.length === 0 ? [] : await inlineSources(session, action);
  await copySources(inline, { ...options, ownership: owner ?? { uid: 0, gid: 0 } });
  return { files, twins };
}

/** Files that a copy left for later. */
export interface Coming {
  readonly files: readonly NewFile[];
  readonly twins: Twins | undefined;
}

/** For one folder of a context that lasts. */
async function twinsOf(
  { session, inputs }: Pick<Performance, 'session' | 'inputs'>,
  action: CopyAction,
): Promise<Twins | undefined> {
  const lasting = await inputs.lasting();
  if (lasting === undefined) return undefined;
  const { images } = session.workshop.options;
  return await openTwins({
    ...{ ...lasting, copies: session.workshop.copies, signal: session.signal },
    name: keyOf('copy', lasting.source.directory, actionText(action), String(session.request.sourceDateEpoch)),
    holdLayer(diffId) {
      session.held.add(diffId);
      return images.findLayer(diffId)?.directory;
    },
  });
}

/** What was fetched or came from a context becomes 0:0; from a stage or an image owners are kept, as BuildKit does. */
function ownershipOf(origin: Origin): Ownership {
  return origin.kind === 'stage' || origin.kind === 'image' ? 'as-source' : { uid: 0, gid: 0 };
}

async function inlineSources(session: Session, action: CopyAction): Promise<readonly SelectedSource[]> {
  const directory = await session.temporaryDirectory();
  const sources: SelectedSource[] = [];
  for (const [index, file] of action.inlineFiles.entries()) {
    const path = join(directory, String(index));
    await writeFile(path, file.content, { mode: 0o644 });
    await chmod(path, 0o644);
    const entries = await walkTree(path);
    sources.push({ name: nameOf(file.name), directory: path, entries });
  }
  return sources;
}

/** What ADD puts in the place of a tar archive: its content. */
async function archiveOf(session: Session, source: SelectedSource): Promise<SelectedSource | undefined> {
  const path = asArgument(source.directory);
  if (source.entries[0]?.kind !== 'file' || path === undefined || !(await isArchive(path))) return undefined;
  const directory = join(await session.temporaryDirectory(), 'unpacked');
  await mkdir(directory);
  await chmod(directory, 0o755);
  await unpackArchive(path, directory, session.signal);
  return { name: source.name, directory: nameOf(directory), entries: await walkTree(directory, session.signal) };
}

/** A file of a folder needs a name, which a URL need not have. */
function refuseNameless({ origin, unpacks }: GivenSource, action: CopyAction): void {
  if (origin.kind !== 'url' || origin.fileName !== '' || !action.intoDirectory || unpacks) return;
  throw new UserError({
    code: 'url-without-name',
    kind: 'invalid',
    message: `${shownUrl(origin.url)} has no file name, and the destination is a folder`,
    fix: 'Name the file in the destination: ADD URL /folder/name.',
  });
}
