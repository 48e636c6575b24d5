import type { Readable } from 'node:stream';
import { z } from 'zod';
import { familiarString, parseReference } from '../../lib/oci/index.ts';
import type { BuildContext, BuildRequest } from '../build/index.ts';
import { invalidParameter } from './http-errors.ts';

const Path = z.string().startsWith('/');
const Texts = z.array(z.string()).default([]);
const Owner = z.strictObject({ uid: z.number().int().nonnegative(), gid: z.number().int().nonnegative() }).optional();
const Tags = z.array(z.string()).optional();

const ContextSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('directory'), path: Path }),
  /** A tar or a Dockerfile: what follows the first line of the body. */
  z.strictObject({ kind: z.literal('stream') }),
  z.strictObject({ kind: z.literal('remote'), url: z.string() }),
]);

const NamedContextSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('directory'), path: Path }),
  z.strictObject({ kind: z.literal('image'), reference: z.string() }),
  z.strictObject({ kind: z.literal('oci-layout'), path: Path, reference: z.string().optional() }),
  z.strictObject({ kind: z.literal('remote'), url: z.string() }),
]);

const OutputSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('image'), tags: Tags, isPushed: z.boolean().optional() }),
  z.strictObject({ kind: z.enum(['oci', 'docker']), path: Path, isTar: z.boolean(), tags: Tags, owner: Owner }),
  z.strictObject({ kind: z.enum(['local', 'tar']), path: Path, owner: Owner }),
]);

const LocalCacheSchema = z.strictObject({ kind: z.literal('local'), path: Path, tag: z.string().optional() });
const RegistryCacheSchema = z.strictObject({ kind: z.literal('registry'), reference: z.string() });
const CacheFromSchema = z.discriminatedUnion('kind', [LocalCacheSchema, RegistryCacheSchema]);
const CacheMode = z.enum(['min', 'max']).default('min');
const CacheToSchema = z.discriminatedUnion('kind', [
  LocalCacheSchema.extend({ mode: CacheMode, owner: Owner }),
  RegistryCacheSchema.extend({ mode: CacheMode }),
]);

/** The first line of the body of `POST /bascule/build`. */
const BuildSpecSchema = z.strictObject({
  context: ContextSchema,
  dockerfile: z.string().default('Dockerfile'),
  dockerfileText: z.string().optional(),
  dockerfilePath: Path.optional(),
  namedContexts: z.record(z.string(), NamedContextSchema).default({}),
  target: z.string().optional(),
  buildArgs: z.record(z.string(), z.string().nullable()).default({}),
  labels: z.record(z.string(), z.string()).default({}),
  tags: Texts,
  noCache: z.boolean().default(false),
  noCacheStages: Texts,
  pull: z.boolean().default(false),
  sbom: z.boolean().default(false),
  platform: z.string().optional(),
  networkMode: z.string().optional(),
  extraHosts: Texts,
  shmSize: z.number().int().positive().optional(),
  /** Base64 by id. */
  secrets: z.record(z.string(), z.base64()).default({}),
  ssh: z.record(z.string(), Path).default({}),
  entitlements: Texts,
  outputs: z.array(OutputSchema).optional(),
  cacheFrom: z.array(CacheFromSchema).default([]),
  cacheTo: z.array(CacheToSchema).default([]),
  /** By registry, as in `X-Registry-Config`. */
  logins: z.record(z.string(), z.record(z.string(), z.string())).default({}),
  checkOnly: z.boolean().default(false),
});

type BuildSpec = z.infer<typeof BuildSpecSchema>;

/** @throws UserError `invalid-parameter` */
export function parseBuildSpec(line: string): BuildSpec {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw invalidParameter('the first line of the request body is no JSON');
  }
  const parsed = BuildSpecSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalidParameter(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it is not what a build takes'}`);
}

/** @param rest what follows the first line. @throws UserError `invalid-reference` */
export function requestOfSpec(spec: BuildSpec, rest: Readable): Omit<BuildRequest, 'onProgress' | 'signal'> {
  const { context, secrets, tags, outputs, checkOnly: _checkOnly, logins: _logins, ...same } = spec;
  return {
    ...definedOf(same),
    context: contextOf(context, rest),
    tags: tags.map(canonical),
    secrets: Object.fromEntries(Object.entries(secrets).map(([id, text]) => [id, Buffer.from(text, 'base64')])),
    ...(outputs === undefined ? {} : { outputs: outputs.map(outputOf) }),
    cacheFrom: spec.cacheFrom.map(definedOf),
    cacheTo: spec.cacheTo.map(definedOf),
    namedContexts: Object.fromEntries(
      Object.entries(spec.namedContexts).map(([name, each]) => [name.toLowerCase(), definedOf(each)]),
    ),
  };
}

function outputOf(output: z.infer<typeof OutputSchema>): NonNullable<BuildRequest['outputs']>[number] {
  switch (output.kind) {
    case 'image':
      return { ...definedOf(output), ...tagsOf(output.tags) };
    case 'oci':
    case 'docker':
      return { ...definedOf(output), ...tagsOf(output.tags) };
    default:
      return definedOf(output);
  }
}

function tagsOf(tags: readonly string[] | undefined): { readonly tags?: readonly string[] } {
  return tags === undefined ? {} : { tags: tags.map(canonical) };
}

function contextOf(context: z.infer<typeof ContextSchema>, stream: Readable): BuildContext {
  return context.kind === 'stream' ? { kind: 'tar', stream } : context;
}

function canonical(tag: string): string {
  return familiarString(parseReference(tag));
}

/** Without the keys that nobody gave. */
function definedOf<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<T>;
}

type Defined<T> = T extends unknown
  ? { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
      [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
    }
  : never;
