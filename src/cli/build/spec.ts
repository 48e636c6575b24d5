import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { findLogins, loginPlaceOf } from '../../lib/docker-config/index.ts';
import { UserError } from '../../lib/errors.ts';
import type { ImageBuildSpec, NamedContextSpec, OutputSpec, OwnerSpec } from '../../server/client/index.ts';
import type { Host } from '../host.ts';
import type { CacheOption, OutputOption, SecretOption } from './options.ts';

/** Options of `bascule image build` as they were parsed. */
export interface BuildOptions {
  readonly tag?: readonly string[];
  readonly file?: string;
  readonly target?: string;
  readonly buildArg?: Readonly<Record<string, string | undefined>>;
  readonly buildContext?: Readonly<Record<string, string>>;
  readonly secret?: readonly SecretOption[];
  readonly ssh?: Readonly<Record<string, string | undefined>>;
  readonly allow?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
  /** False: `--no-cache`. */
  readonly cache: boolean;
  readonly noCacheFilter?: readonly string[];
  readonly pull?: boolean;
  readonly sbom?: boolean;
  readonly platform?: string;
  readonly network?: string;
  readonly addHost?: readonly string[];
  readonly shmSize?: number;
  readonly output?: readonly OutputOption[];
  readonly push?: boolean;
  readonly load?: boolean;
  readonly cacheFrom?: readonly CacheOption[];
  readonly cacheTo?: readonly CacheOption[];
  readonly metadataFile?: string;
  readonly iidfile?: string;
  readonly progress: 'auto' | 'plain' | 'tty' | 'json' | 'quiet';
  readonly check?: boolean;
  readonly quiet?: boolean;
}

export interface PreparedBuild {
  readonly spec: ImageBuildSpec;
  readonly context?: Readable;
}

/**
 * @param place the folder, `-` or URL that is the context
 * @param standardOutput where an output goes that is wanted on standard output
 */
export async function prepareBuild(
  host: Host,
  place: string,
  o: { readonly options: BuildOptions; readonly standardOutput: string },
): Promise<PreparedBuild> {
  const { options } = o;
  const at = (path: string): string => resolve(host.cwd, path);
  const owner = ownerOf(host);
  const context = contextOf(host, place);
  const outputs = outputsOf(options)?.flatMap((output) =>
    outputOf(output, { at, owner, standardOutput: o.standardOutput }),
  );
  const spec: ImageBuildSpec = {
    context,
    ...(await dockerfileOf(host, { place, context, file: options.file })),
    namedContexts: namedContextsOf(options.buildContext ?? {}, at),
    ...given({ target: options.target, platform: options.platform, shmSize: options.shmSize }),
    ...given({ networkMode: options.network, outputs }),
    buildArgs: buildArgsOf(host, options.buildArg ?? {}),
    labels: options.label ?? {},
    tags: options.tag ?? [],
    noCache: !options.cache,
    noCacheStages: (options.noCacheFilter ?? []).flatMap((names) => names.split(',')),
    pull: options.pull ?? false,
    sbom: options.sbom ?? false,
    extraHosts: (options.addHost ?? []).map(hostEntry),
    secrets: await secretsOf(host, options.secret ?? []),
    ssh: await agentsOf(host, options.ssh ?? {}),
    entitlements: options.allow ?? [],
    cacheFrom: (options.cacheFrom ?? []).map((cache) => placedCache(cache, at)),
    cacheTo: (options.cacheTo ?? []).map((cache) => ({
      ...placedCache(cache, at),
      mode: cache.mode,
      ...(cache.kind === 'local' ? given({ owner }) : {}),
    })),
    logins: await findLogins(loginPlaceOf(host.env)),
    checkOnly: options.check ?? false,
  };
  return { spec, ...(context.kind === 'stream' ? { context: host.stdin } : {}) };
}

function placedCache(cache: CacheOption, at: (path: string) => string): ImageBuildSpec['cacheFrom'][number] {
  if (cache.kind === 'registry') return { kind: cache.kind, reference: cache.reference };
  return { kind: cache.kind, path: at(cache.path), ...given({ tag: cache.tag }) };
}

function contextOf(host: Host, place: string): ImageBuildSpec['context'] {
  if (place === '-') return { kind: 'stream' };
  return isRemote(place) ? { kind: 'remote', url: place } : { kind: 'directory', path: resolve(host.cwd, place) };
}

function isRemote(place: string): boolean {
  return /^(?:https?|git|ssh):\/\//.test(place) || /^[\w.-]+@[^/:\s]+:/.test(place) || place.startsWith('github.com/');
}

/** `-f` is relative to where one stands; inside a stream or a repository it is a path in there. */
async function dockerfileOf(
  host: Host,
  o: { readonly place: string; readonly context: ImageBuildSpec['context']; readonly file: string | undefined },
): Promise<Pick<ImageBuildSpec, 'dockerfile' | 'dockerfilePath' | 'dockerfileText'>> {
  const { file, context } = o;
  if (file === undefined) return {};
  if (file === '-') {
    if (o.place === '-') throw twiceInput();
    return { dockerfileText: await textOf(host.stdin), dockerfile: '-' };
  }
  if (context.kind !== 'directory') return { dockerfile: file };
  const here = resolve(host.cwd, file);
  return { dockerfilePath: existsSync(here) ? here : resolve(context.path, file), dockerfile: file };
}

function namedContextsOf(
  contexts: Readonly<Record<string, string>>,
  at: (path: string) => string,
): Readonly<Record<string, NamedContextSpec>> {
  return Object.fromEntries(
    Object.entries(contexts).map(([name, value]): [string, NamedContextSpec] => {
      if (value.startsWith('docker-image://'))
        return [name, { kind: 'image', reference: value.slice('docker-image://'.length) }];
      if (value.startsWith('oci-layout://')) {
        const text = value.slice('oci-layout://'.length);
        const [, path = '', tag, digest] = /^(.+?)(?::(\w[\w.-]*))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(text) ?? [];
        return [name, { kind: 'oci-layout', path: at(path), ...given({ reference: digest ?? tag }) }];
      }
      return [name, isRemote(value) ? { kind: 'remote', url: value } : { kind: 'directory', path: at(value) }];
    }),
  );
}

/** `--push` and `--load` are short for outputs, as with buildx. */
function outputsOf({ output, push, load }: BuildOptions): readonly OutputOption[] | undefined {
  if (push !== true && load !== true) return output;
  const isThere = output?.some(({ kind }) => kind === 'image') === true;
  const image: OutputOption = { kind: 'image', tags: undefined, isPushed: push === true };
  return isThere
    ? output.map((each) =>
        each.kind === 'image' ? { ...each, isPushed: push === true || each.isPushed === true } : each,
      )
    : [...(output ?? []), image];
}

interface Placing {
  readonly owner: OwnerSpec | undefined;
  readonly standardOutput: string;
  at(path: string): string;
}

function outputOf(output: OutputOption, { at, owner, standardOutput }: Placing): readonly OutputSpec[] {
  switch (output.kind) {
    case 'cacheonly':
      return [];
    case 'image':
      return [{ kind: 'image', ...given({ tags: output.tags, isPushed: output.isPushed }) }];
    default: {
      const { dest, ...rest } = output;
      const tags = 'tags' in rest ? given({ tags: rest.tags }) : {};
      const path = dest === '-' ? standardOutput : at(dest);
      const to = { path, ...given({ owner }), ...tags };
      return rest.kind === 'oci' || rest.kind === 'docker'
        ? [{ ...to, kind: rest.kind, isTar: rest.isTar }]
        : [{ ...to, kind: rest.kind }];
    }
  }
}

/** Files that are made for who asks are theirs; root's are what the image says. */
function ownerOf({ user }: Host): OwnerSpec | undefined {
  return user.uid === 0 ? undefined : user;
}

/** Proxies of the environment are not taken: only what is asked for. */
function buildArgsOf(
  host: Host,
  given: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | null>> {
  const epoch = host.env['SOURCE_DATE_EPOCH'];
  return {
    ...(epoch === undefined || epoch === '' ? {} : { SOURCE_DATE_EPOCH: epoch }),
    ...Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value ?? host.env[name] ?? null])),
  };
}

function hostEntry(text: string): string {
  return text.includes('=') ? text.replace('=', ':') : text;
}

async function secretsOf(host: Host, secrets: readonly SecretOption[]): Promise<Readonly<Record<string, string>>> {
  const entries = secrets.map(async ({ id, source }): Promise<[string, string]> => {
    const variable = source.kind === 'file' ? undefined : host.env[source.name];
    if (variable !== undefined) return [id, Buffer.from(variable).toString('base64')];
    if (source.kind === 'env') throw secretMissing(id, `the variable ${source.name} is not set`);
    const path = resolve(host.cwd, source.name.replace(/^~(?=\/)/, host.env['HOME'] ?? '~'));
    const bytes = await readFile(path).catch((cause: Error) => {
      throw secretMissing(id, cause.message);
    });
    return [id, bytes.toString('base64')];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function agentsOf(
  host: Host,
  agents: Readonly<Record<string, string | undefined>>,
): Promise<Readonly<Record<string, string>>> {
  const entries = Object.entries(agents).map(async ([id, given]): Promise<[string, string]> => {
    const path = given ?? host.env['SSH_AUTH_SOCK'] ?? '';
    const found = path === '' ? undefined : await stat(resolve(host.cwd, path)).catch(() => undefined);
    if (found?.isSocket() !== true) throw agentMissing(id, path);
    return [id, resolve(host.cwd, path)];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** Without what nobody gave. */
function given<T extends object>(value: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}

function twiceInput(): UserError {
  return new UserError({
    code: 'input-twice',
    kind: 'invalid',
    message: 'standard input cannot be both the context and the Dockerfile',
    fix: 'Name a folder as the context, or put the Dockerfile into the archive.',
  });
}

function secretMissing(id: string, why: string): UserError {
  return new UserError({
    code: 'secret-missing',
    kind: 'not-found',
    message: `the secret ${id} cannot be read: ${why}`,
    fix: `Name its file or variable: --secret id=${id},src=FILE or --secret id=${id},env=VARIABLE.`,
  });
}

function agentMissing(id: string, path: string): UserError {
  return new UserError({
    code: 'agent-missing',
    kind: 'not-found',
    message: `${path === '' ? 'there' : path} is no socket of an SSH agent for ${id}`,
    fix: 'Start one (`eval $(ssh-agent); ssh-add`), or name its socket: --ssh ID=SOCKET.',
  });
}
