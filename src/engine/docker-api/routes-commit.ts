import type { ExecutionConfig, HistoryEntry, ImageConfig } from '../../lib/oci/index.ts';
import type { ImageRecord, Layer } from '../image/index.ts';
import type { Container } from '../runtime/index.ts';
import { applyChanges } from './config-changes.ts';
import { parseContainerConfig, type ContainerConfig } from './create-request.ts';
import { doneTo } from './engine-events.ts';
import type { Exchange } from './exchange.ts';
import { givenName } from './http-errors.ts';
import { mergeConfig } from './merge-config.ts';
import { flagOf, textOf } from './query.ts';
import { referenceOf } from './reference-text.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';

type CommitRooms = Pick<Rooms, 'images' | 'runtime' | 'events'>;

export function commitRoutes(rooms: CommitRooms): readonly Route[] {
  return [{ method: 'POST', pattern: '/commit', handle: (exchange) => commit(rooms, exchange) }];
}

/** `docker commit`: what the container wrote becomes a layer on its image. */
async function commit({ images, runtime, events }: CommitRooms, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const container = runtime.get(givenName(query.get('container')));
  const reference = referenceOf(textOf(query, 'repo'), textOf(query, 'tag'));
  const given = parseContainerConfig(await exchange.json());
  const config = committedConfig(container, given, query.getAll('changes'));
  const base = images.get(container.spec.imageId);
  const layer = await sealed({ runtime }, container, flagOf(query, 'pause', true));
  const image = await images.register({
    config: imageConfigOf({ base, layer, config, entry: historyOf(container, exchange), now: new Date() }),
    ...(reference === undefined ? {} : { references: [reference] }),
    parent: base.id,
  });
  events.publish(
    doneTo(container, 'commit', {
      comment: query.get('comment') ?? '',
      imageID: image.id,
      imageRef: image.references[0] ?? '',
    }),
  );
  exchange.reply(201, { Id: image.id });
}

/** A running container stands still while its files are read, unless the client asks for `pause=0`. */
async function sealed(
  { runtime }: Pick<Rooms, 'runtime'>,
  { id, state }: Container,
  pause: boolean,
): Promise<Layer | undefined> {
  if (!pause || state.status !== 'running') return runtime.sealLayer(id);
  await runtime.pause(id);
  try {
    return await runtime.sealLayer(id);
  } finally {
    await runtime.unpause(id);
  }
}

function committedConfig(container: Container, given: ContainerConfig, changes: readonly string[]): ExecutionConfig {
  const own = container.spec.docker.Config as ExecutionConfig;
  const changed = applyChanges(executionPart(given), changes);
  const merged = mergeConfig(changed as ContainerConfig, own);
  return {
    ...(merged.user === '' ? {} : { User: merged.user }),
    ...(merged.exposedPorts.length > 0 ? { ExposedPorts: setOf(merged.exposedPorts) } : {}),
    Env: merged.env,
    Entrypoint: merged.entrypoint,
    Cmd: merged.cmd,
    ...(merged.volumes.length > 0 ? { Volumes: setOf(merged.volumes) } : {}),
    ...(merged.workingDir === '' ? {} : { WorkingDir: merged.workingDir }),
    Labels: merged.labels,
    ...(merged.stopSignal === undefined ? {} : { StopSignal: merged.stopSignal }),
    ...(merged.healthcheck === undefined ? {} : { Healthcheck: merged.healthcheck }),
    ...(merged.shell === undefined ? {} : { Shell: merged.shell }),
    ...(changed.OnBuild === undefined ? {} : { OnBuild: changed.OnBuild }),
  };
}

function executionPart(given: ContainerConfig): ExecutionConfig {
  const entries = Object.entries(given).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries);
}

function historyOf({ spec }: Container, { query }: Exchange): HistoryEntry {
  const author = textOf(query, 'author');
  const comment = textOf(query, 'comment');
  return {
    created_by: spec.args.join(' '),
    ...(author === undefined ? {} : { author }),
    ...(comment === undefined ? {} : { comment }),
  };
}

interface CommittedImage {
  readonly base: ImageRecord;
  readonly layer: Layer | undefined;
  readonly config: ExecutionConfig;
  readonly entry: HistoryEntry;
  readonly now: Date;
}

function imageConfigOf({ base, layer, config, entry, now }: CommittedImage): ImageConfig {
  const created = now.toISOString();
  const step = { created, ...entry, ...(layer === undefined ? { empty_layer: true } : {}) };
  const diffIds = layer === undefined ? [] : [layer.diffId];
  return {
    ...base.config,
    created,
    ...(entry.author === undefined ? {} : { author: entry.author }),
    config,
    rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, ...diffIds] },
    history: [...(base.config.history ?? []), step],
  };
}

function setOf(keys: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}
