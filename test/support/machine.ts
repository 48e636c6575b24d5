import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bascule, type CommandOptions, type CommandResult } from './bascule.ts';
import { waitFor } from './wait.ts';

/** One daemon's world: a root of its own, a folder for projects, and its end. */
export interface Machine extends AsyncDisposable {
  readonly root: string;
  readonly folder: string;
  /** Runs a command in a project's folder. */
  run(words: readonly string[], options?: Partial<CommandOptions>): Promise<CommandResult>;
  /** Like `run`; a non-zero exit code fails. */
  must(words: readonly string[], options?: Partial<CommandOptions>): Promise<CommandResult>;
  /** The value that a command prints with `--json`. */
  json<T>(words: readonly string[], options?: Partial<CommandOptions>): Promise<T>;
  /** Writes files beneath the project's folder. */
  write(files: Readonly<Record<string, string>>): void;
  daemonPid(): Promise<number>;
}

export type EngineKind = 'embedded' | 'dockerd';

/**
 * A fresh root under /var/tmp (overlayfs needs a real file system), with `busybox` as its base image.
 * At the end everything is purged and the folder is removed.
 */
export async function openMachine(
  options: { readonly engine?: EngineKind; readonly root?: string } = {},
): Promise<Machine> {
  const base = mkdtempSync('/var/tmp/bascule-test-');
  const root = options.root ?? join(base, 'root');
  const folder = join(base, 'project');
  mkdirSync(folder, { recursive: true });
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(base, { recursive: true, force: true }));
  const engine = options.engine === 'dockerd' ? undo.use(await startDockerd(join(base, 'dockerd'))) : undefined;
  const env: Record<string, string> = engine === undefined ? {} : { BASCULE_ENGINE: `unix://${engine.socket}` };

  const run: Machine['run'] = (words, extra = {}) =>
    bascule(root, words, { cwd: folder, ...extra, env: { ...env, ...extra.env } });
  const must: Machine['must'] = async (words, extra) => {
    const result = await run(words, extra);
    if (result.exitCode === 0) return result;
    throw new Error(`bascule ${words.join(' ')} ended with ${result.exitCode}:\n${result.stderr}\n${result.stdout}`);
  };
  undo.defer(async () => void (await must(['purge', '--yes'])));
  if (engine === undefined) await must(['image', 'bootstrap', 'busybox']);
  else importBusybox(engine.socket, base);

  const end = undo.move();
  return {
    root,
    folder,
    run,
    must,
    json: async <T>(words: readonly string[], extra?: Partial<CommandOptions>) =>
      JSON.parse((await must([...words, '--json'], extra)).stdout) as T,
    write: (files) => writeFiles(folder, files),
    daemonPid: async () => (JSON.parse((await must(['daemon', 'status', '--json'])).stdout) as { pid: number }).pid,
    [Symbol.asyncDispose]: () => end[Symbol.asyncDispose](),
  };
}

function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

export interface Dockerd extends AsyncDisposable {
  readonly socket: string;
  readonly pid: number;
}

/**
 * A real dockerd with folders of its own. With a network it shares the machine's iptables with any other; without, it has
 * a network namespace to itself, since `--bridge none` takes away the bridge of every dockerd that it sees.
 */
export async function startDockerd(
  folder: string,
  program = 'dockerd',
  o: { readonly hasNetwork: boolean } = { hasNetwork: true },
): Promise<Dockerd> {
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, 'docker.sock');
  const [first, ...before] = o.hasNetwork ? [program] : ['unshare', '--net', program];
  const child = spawn(
    first,
    [
      ...before,
      ...['--host', `unix://${socket}`, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--pidfile', join(folder, 'pid')],
      ...(o.hasNetwork
        ? ['--default-address-pool', 'base=10.213.0.0/16,size=24', '--bip', '10.214.0.1/24']
        : ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-forward=false']),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  const words: string[] = [];
  child.stderr.on('data', (data: Buffer) => words.push(data.toString('utf8')));
  try {
    await waitFor(() => answers(socket) || (child.exitCode !== null && failed(words)), {
      timeoutMs: 60_000,
      intervalMs: 100,
      what: 'dockerd answers',
    });
  } catch (error) {
    await stop(child);
    throw error;
  }
  return {
    socket,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      await stop(child);
      unmountBelow(folder);
    },
  };
}

function failed(words: readonly string[]): never {
  throw new Error(`dockerd ended: ${words.join('').slice(-2_000)}`);
}

function answers(socket: string): boolean {
  if (!existsSync(socket)) return false;
  try {
    execFileSync('curl', ['-s', '--max-time', '2', '--unix-socket', socket, 'http://docker/_ping'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(timer);
}

function unmountBelow(folder: string): void {
  const mounts = execFileSync('findmnt', ['-rno', 'TARGET'], { encoding: 'utf8' }).split('\n');
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).toReversed()) {
    execFileSync('umount', ['-l', mount]);
  }
}

/** The root of `busybox-static`, as Bascule bootstraps it too, imported into another engine. */
export function importBusybox(socket: string, base: string): void {
  const root = join(base, 'busybox');
  for (const name of ['bin', 'etc', 'tmp', 'var', 'proc', 'sys', 'dev', 'root'])
    mkdirSync(join(root, name), { recursive: true });
  execFileSync('cp', ['/bin/busybox', join(root, 'bin', 'busybox')]);
  execFileSync('chroot', [root, '/bin/busybox', '--install', '-s', '/bin']);
  execFileSync('chmod', ['1777', join(root, 'tmp')]);
  writeFiles(root, {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
    'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  });
  const archive = join(base, 'busybox.tar');
  execFileSync('tar', ['-C', root, '-cf', archive, '.']);
  execFileSync('docker', ['-H', `unix://${socket}`, 'import', '-c', 'CMD ["sh"]', archive, 'busybox:latest'], {
    stdio: 'ignore',
  });
  execFileSync('docker', ['-H', `unix://${socket}`, 'tag', 'busybox:latest', 'busybox:1'], { stdio: 'ignore' });
}
