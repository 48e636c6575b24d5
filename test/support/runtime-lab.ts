import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openImageStore, type ImageRecord, type ImageStore } from '../../src/engine/image/index.ts';
import { openNetworks, type Networks } from '../../src/engine/network/index.ts';
import { openRuntime, type ContainerEvent, type ContainerSpec, type Runtime } from '../../src/engine/runtime/index.ts';
import { openVolumes, type Volumes } from '../../src/engine/volume/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';
import { scopeOf } from '../../src/lib/scope.ts';

/** The engine's rooms up to the runtime, over a root of their own. */
export interface RuntimeLab extends AsyncDisposable {
  readonly root: string;
  readonly runDirectory: string;
  readonly runtime: Runtime;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly image: ImageRecord;
  readonly events: ContainerEvent[];
  /** Creates and starts; `args` is a shell command where it is a text. */
  run(args: string | readonly string[], more?: Partial<ContainerSpec>): Promise<string>;
  /** Runs to the end and gives what it printed, both streams, and its exit code. */
  output(args: string | readonly string[], more?: Partial<ContainerSpec>): Promise<{ text: string; exitCode: number }>;
  /** Lets go as a daemon's end does; containers go on. */
  close(): Promise<void>;
}

export async function openRuntimeLab(existingRoot?: string): Promise<RuntimeLab> {
  const root = existingRoot ?? (await mkdtemp(join(tmpdir(), 'bascule-runtime-')));
  const scope = scopeOf(root);
  const directory = join(root, 'engine');
  await mkdir(directory, { recursive: true });
  await mkdir(scope.runDirectory, { recursive: true });
  const database = openDatabase(join(directory, 'engine.db'));
  const log = process.env['LAB_LOG'] ? consoleLog : silentLog;
  const images = await openImageStore({ directory, database, log });
  const networks = await openNetworks({ scope, directory: join(directory, 'networks'), database, log });
  const volumes = openVolumes({ directory: join(directory, 'volumes'), database, log });
  const runtime = await openRuntime({ scope, directory, database, images, networks, volumes, log });
  const events: ContainerEvent[] = [];
  runtime.onEvent((event) => events.push(event));
  const image = images.find('busybox') ?? (await images.bootstrap('busybox', { onOutput: () => {} }));
  await networks.adopt(
    new Set(
      runtime
        .list()
        .filter(({ state }) => state.pid > 0)
        .map(({ id }) => id),
    ),
  );
  await runtime.adopt();
  const run: RuntimeLab['run'] = async (args, more) => {
    const { id } = await runtime.create(specOf(image, args, more));
    await runtime.start(id);
    return id;
  };
  const close = async (): Promise<void> => {
    await runtime.close();
    await networks.close();
    await images.close();
    database.close();
  };
  return {
    root,
    runDirectory: scope.runDirectory,
    runtime,
    images,
    networks,
    volumes,
    image,
    events,
    run,
    output: async (args, more) => {
      const id = await run(args, more);
      const { exitCode } = await runtime.wait(id, 'not-running');
      const text = await logText(runtime, id);
      await runtime.remove(id, { force: true, removeVolumes: true });
      return { text, exitCode };
    },
    close,
    [Symbol.asyncDispose]: async () => {
      for (const { id } of runtime.list()) await runtime.remove(id, { force: true, removeVolumes: true });
      await networks.destroy();
      await close();
      await rm(root, { recursive: true, force: true });
      await rm(scope.runDirectory, { recursive: true, force: true });
    },
  };
}

const consoleLog = {
  debug: () => {},
  info: (fields: object, message: string) => console.error(message, fields),
  warn: (fields: object, message: string) => console.error(message, fields),
  error: (fields: object, message: string) => console.error(message, fields),
};

let names = 0;

export function specOf(
  image: ImageRecord,
  args: string | readonly string[],
  more: Partial<ContainerSpec> = {},
): ContainerSpec {
  names += 1;
  return {
    name: `c${process.pid}-${names}`,
    imageId: image.id,
    imageName: 'busybox:latest',
    args: typeof args === 'string' ? ['sh', '-c', args] : args,
    env: [],
    workingDirectory: '',
    user: '',
    tty: false,
    openStdin: false,
    hostname: '',
    labels: {},
    stopSignal: '',
    stopTimeoutSeconds: 10,
    restartPolicy: { name: 'no', maximumRetryCount: 0 },
    autoRemove: false,
    init: false,
    mounts: [],
    readOnlyRoot: false,
    resources: {},
    shmSizeBytes: 0,
    security: { privileged: false, capAdd: [], capDrop: [], noNewPrivileges: true, seccomp: 'default' },
    sysctls: {},
    devices: [],
    groupAdd: [],
    network: { mode: 'none' },
    logDriver: { type: 'json-file' },
    docker: { Config: {}, HostConfig: {} },
    ...more,
  };
}

export async function logText(runtime: Runtime, id: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const { data } of runtime.logs(id, { follow: false, stdout: true, stderr: true })) chunks.push(data);
  return Buffer.concat(chunks).toString('utf8');
}
