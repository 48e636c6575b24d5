import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/lib/process.ts';
import { cannotRunContainers, openTestEngine } from './docker-engine.ts';
import { importBusybox, startDockerd } from './machine.ts';

/** An engine to run the delivery wing over, with the image `busybox`. */
export interface EngineUnderTest {
  readonly name: string;
  /** Why it cannot be had here, or false. */
  readonly skip: string | false;
  open(): Promise<AsyncDisposable & { readonly socketPath: string }>;
}

/**
 * The embedded engine and a real dockerd: what is promised holds over both. BASCULE_TEST_ENGINE names the socket of
 * one that runs already, which is then the only one.
 */
export async function enginesUnderTest(): Promise<readonly EngineUnderTest[]> {
  const given = process.env['BASCULE_TEST_ENGINE'];
  if (given !== undefined) return [givenEngine(given)];
  const noProxy = (await has('haproxy', '-v')) && (await has('nft', '--version')) ? false : 'needs haproxy and nft';
  const noDockerd = (await has('dockerd', '--version')) ? false : 'needs dockerd (Debian package docker.io)';
  return [
    { name: 'the embedded engine', skip: cannotRunContainers() || noProxy, open: openEmbedded },
    { name: 'a real dockerd', skip: cannotRunContainers() || noProxy || noDockerd, open: openDockerd },
  ];
}

async function has(...argv: [string, ...string[]]): Promise<boolean> {
  return await run(argv).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
}

function givenEngine(socketPath: string): EngineUnderTest {
  const open: EngineUnderTest['open'] = () => Promise.resolve({ socketPath, async [Symbol.asyncDispose]() {} });
  return { name: `the engine at ${socketPath}`, skip: cannotRunContainers(), open };
}

async function openEmbedded(): ReturnType<EngineUnderTest['open']> {
  const engine = await openTestEngine();
  return { socketPath: engine.socket, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

async function openDockerd(): ReturnType<EngineUnderTest['open']> {
  const base = mkdtempSync('/var/tmp/bascule-dockerd-');
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(base, { recursive: true, force: true }));
  const dockerd = undo.use(await startDockerd(join(base, 'dockerd')));
  importBusybox(dockerd.socket, base);
  const end = undo.move();
  return { socketPath: dockerd.socket, [Symbol.asyncDispose]: () => end[Symbol.asyncDispose]() };
}
