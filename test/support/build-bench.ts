import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import {
  type BuildEvent,
  type BuildRegistry,
  type Builder,
  type BuildRequest,
  type BuildResult,
  createBuilder,
} from '../../src/engine/build/index.ts';
import { type ImageRecord, type ImageStore, openImageStore } from '../../src/engine/image/index.ts';
import { type Networks, openNetworks } from '../../src/engine/network/index.ts';
import { openRuntime, type Runtime } from '../../src/engine/runtime/index.ts';
import { openVolumes } from '../../src/engine/volume/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type Scope, scopeOf } from '../../src/lib/scope.ts';

/** The rooms that a build needs, over a root of their own. */
export interface BuildBench extends AsyncDisposable {
  readonly root: string;
  readonly scope: Scope;
  readonly images: ImageStore;
  readonly builder: Builder;
  /** A new builder over the same records, as after a restart of the daemon. */
  reopenBuilder(pull?: BuildRegistry['pull']): Builder;
  /** Writes files of a context of its own; gives its folder. */
  context(files: Readonly<Record<string, string>>): string;
  build(request: BenchRequest): Promise<Built>;
  /** Without an image in the store. */
  export(request: BenchRequest): Promise<void>;
  /** Mounts that a build has left. */
  mountsLeft(): readonly string[];
}

export type BenchRequest = Partial<BuildRequest> & {
  readonly files?: Readonly<Record<string, string>>;
  /** Another one than the bench's. */
  readonly by?: Builder;
};

export interface Built {
  readonly image: ImageRecord;
  readonly events: readonly BuildEvent[];
  /** What RUN steps printed. */
  readonly output: string;
  /** Texts of steps that were executed. */
  readonly executed: readonly string[];
}

const unreachable = (): Promise<never> => Promise.reject(new Error('there is no registry'));
const NO_REGISTRY: Omit<BuildRegistry, 'pull'> = {
  push: unreachable,
  fetchDocument: unreachable,
  fetchLayers: unreachable,
  pushLayers: unreachable,
  pushDocument: unreachable,
};

/** @param root a folder of an earlier bench that was killed; else a new one. */
export async function openBuildBench(root = mkdtempSync(join(tmpdir(), 'bascule-build-'))): Promise<BuildBench> {
  const scope = scopeOf(join(root, 'root'));
  const directory = join(scope.root, 'engine');
  mkdirSync(directory, { recursive: true });
  mkdirSync(scope.runDirectory, { recursive: true });
  const database: DatabaseSync = openDatabase(join(directory, 'engine.db'));
  const common = { scope, directory, database, log: silentLog };
  const images = await openImageStore(common);
  const networks: Networks = await openNetworks({ ...common, directory: join(directory, 'networks') });
  await networks.adopt(new Set());
  const volumes = openVolumes({ ...common, directory: join(directory, 'volumes') });
  const runtime: Runtime = await openRuntime({ ...common, images, networks, volumes });
  await runtime.adopt();
  const open = (pull?: BuildRegistry['pull']): Builder =>
    createBuilder({
      ...{ ...common, images, runtime, networks },
      ...(pull === undefined ? {} : { registry: { ...NO_REGISTRY, pull } }),
    });
  const builder = open();
  if (images.find('busybox') === undefined) await images.bootstrap('busybox', { onOutput() {} });
  let contexts = 0;

  const bench: BuildBench = {
    root,
    scope,
    images,
    builder,
    reopenBuilder: open,
    context(files) {
      const path = join(root, `context-${process.pid}-${++contexts}`);
      mkdirSync(path);
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), text);
      }
      return path;
    },
    async build(request) {
      const events: BuildEvent[] = [];
      const { image } = await run(request, events);
      if (image === undefined) throw new Error('the build gave no image');
      return { image, events, output: outputOf(events), executed: executedOf(events) };
    },
    async export(request) {
      await run(request, []);
    },
    mountsLeft: () =>
      readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`${directory}/build/`)),
    async [Symbol.asyncDispose]() {
      await runtime.close();
      await networks.destroy();
      await networks.close();
      await images.close();
      database.close();
      for (const path of [root, scope.runDirectory]) rmSync(path, { recursive: true, force: true });
    },
  };
  return bench;

  function run({ files, by = builder, ...request }: BenchRequest, events: BuildEvent[]): Promise<BuildResult> {
    return by.build({
      context: { kind: 'directory', path: request.context === undefined ? bench.context(files ?? {}) : '' },
      dockerfile: 'Dockerfile',
      buildArgs: {},
      labels: {},
      tags: [],
      noCache: false,
      ...request,
      onProgress(event) {
        events.push(event);
        request.onProgress?.(event);
      },
    });
  }
}

function outputOf(events: readonly BuildEvent[]): string {
  return Buffer.concat(events.flatMap((event) => (event.kind === 'output' ? [event.data] : []))).toString();
}

function executedOf(events: readonly BuildEvent[]): readonly string[] {
  const texts = new Map(events.flatMap((event) => (event.kind === 'step-started' ? [[event.step, event.text]] : [])));
  return events.flatMap((event) => {
    const text = event.kind === 'step-done' && !event.cached ? texts.get(event.step) : undefined;
    return text !== undefined && /^(?:RUN|COPY|ADD|WORKDIR) /.test(text) ? [text] : [];
  });
}
