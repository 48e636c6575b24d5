import { parseReference, type Digest } from '../../../lib/oci/index.ts';
import { VERSION } from '../../../lib/version.ts';
import type { BuildRequest } from '../face.ts';
import type { BuildPlan, Origin, StagePlan } from '../plan/plan.ts';
import type { Checkout } from '../sources/checkout.ts';
import { withoutCredentials } from '../sources/without-credentials.ts';

/** An image that the Dockerfile names. */
export interface NamedImage {
  readonly name: string;
  readonly id: Digest;
  /** What registries call it: `name@sha256:…`. */
  readonly repoDigests: readonly string[];
}

export interface BuildRecord {
  readonly request: BuildRequest;
  readonly plan: BuildPlan;
  readonly images: readonly NamedImage[];
  readonly checkout: Checkout | undefined;
  readonly imageId: Digest;
  readonly finishedAt: Date;
}

export const PREDICATE_TYPE = 'https://slsa.dev/provenance/v1';

/** An in-toto statement (v1) with SLSA provenance (v1.0). No secret is in it: neither values nor those of arguments named so. */
export function renderProvenance(record: BuildRecord): string {
  const { request, plan, checkout, imageId, finishedAt } = record;
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: request.tags[0] ?? 'image', digest: digestSet(imageId) }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: 'urn:bascule:build:dockerfile:1',
        externalParameters: {
          context: contextOf(request, checkout),
          dockerfile: { path: plan.source.file, text: withoutLogins(plan.source.wholeLines.join('')) },
          ...(request.target === undefined || request.target === '' ? {} : { target: request.target }),
          buildArgs: shownArgs(request.buildArgs),
          labels: request.labels,
          ...(request.platform === undefined ? {} : { platform: request.platform }),
          ...(request.sourceDateEpoch === undefined ? {} : { sourceDateEpoch: request.sourceDateEpoch }),
          secrets: Object.keys(request.secrets ?? {}),
        },
        resolvedDependencies: dependenciesOf(record),
      },
      runDetails: {
        builder: { id: 'urn:bascule:builder:embedded', version: { bascule: VERSION } },
        metadata: { finishedOn: finishedAt.toISOString() },
      },
    },
  };
  return `${JSON.stringify(statement, undefined, 2)}\n`;
}

/** By OCI's names (Image Specification, Pre-Defined Annotation Keys), as far as it is known. */
export function originAnnotations({ plan, images, checkout }: BuildRecord): Readonly<Record<string, string>> {
  const base = baseOf(plan, images);
  const digest = base === undefined ? undefined : manifestOf(base);
  const known: Readonly<Record<string, string | undefined>> = {
    'org.opencontainers.image.revision': checkout?.revision,
    'org.opencontainers.image.source': checkout?.source,
    'org.opencontainers.image.base.name': base === undefined ? undefined : fullName(base.name),
    'org.opencontainers.image.base.digest': digest,
  };
  return Object.fromEntries(Object.entries(known).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The image below the target stage, through the stages in between. */
function baseOf({ stages, target }: BuildPlan, images: readonly NamedImage[]): NamedImage | undefined {
  let stage: StagePlan | undefined = stages.find(({ index }) => index === target);
  while (stage?.base.kind === 'stage') {
    const { index } = stage.base;
    stage = stages.find((each) => each.index === index);
  }
  const base = stage?.base;
  return base?.kind === 'image' ? images.find(({ id }) => id === base.image.id) : undefined;
}

function contextOf({ context }: BuildRequest, checkout: Checkout | undefined): object {
  switch (context.kind) {
    case 'remote':
      return { kind: 'remote', uri: withoutCredentials(context.url) };
    case 'tar':
      return { kind: 'archive' };
    case 'directory':
      return { kind: 'folder', ...(checkout === undefined ? {} : { checkout }) };
  }
}

const SECRET_NAME = /pass(?:word|wd|phrase)?|secret|token|credential|private|api_?key|auth/i;
const PROXY_NAME = /^(?:https?|ftp|no|all)_proxy$/i;

/** Proxies belong to the machine, and what is called a secret is none of anybody's business. */
function shownArgs(buildArgs: BuildRequest['buildArgs']): object {
  const shown = Object.entries(buildArgs).filter(([name]) => !PROXY_NAME.test(name));
  return Object.fromEntries(shown.map(([name, value]) => [name, SECRET_NAME.test(name) ? null : withoutLogin(value)]));
}

function withoutLogin(value: string | null): string | null {
  return value === null ? null : withoutCredentials(value);
}

/** Addresses in a text, without user and password. */
function withoutLogins(text: string): string {
  return text.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#'"@:]*:[^\s/?#'"@]*@/gi, '$1');
}

interface Dependency {
  readonly uri: string;
  readonly digest?: Readonly<Record<string, string>>;
  readonly mediaType?: string;
}

function dependenciesOf({ plan, images, request, checkout }: BuildRecord): readonly Dependency[] {
  const fetched = plan.stages.flatMap(originsOf).flatMap(fetchedFrom);
  const context: readonly Dependency[] =
    request.context.kind === 'directory' && checkout?.source !== undefined
      ? [{ uri: `git+${checkout.source}`, digest: { gitCommit: checkout.revision } }]
      : [];
  const all = [...images.map(imageDependency), ...context, ...fetched];
  return [...new Map(all.map((each) => [each.uri, each])).values()];
}

function originsOf({ steps }: StagePlan): readonly Origin[] {
  return steps.flatMap(({ action }) => {
    if (action.kind === 'copy') return action.sources.map(({ origin }) => origin);
    return [];
  });
}

function fetchedFrom(origin: Origin): readonly Dependency[] {
  if (origin.kind === 'url') {
    const digest = origin.checksum === undefined ? {} : { digest: digestSet(origin.checksum) };
    return [{ uri: withoutCredentials(origin.url), ...digest }];
  }
  if (origin.kind !== 'git') return [];
  const suffix = origin.ref === undefined ? '' : `@${origin.ref}`;
  return [{ uri: `git+${withoutCredentials(origin.remote)}${suffix}` }];
}

/** By its manifest where a registry has given it one, else by its configuration. */
function imageDependency(image: NamedImage): Dependency {
  const manifest = manifestOf(image);
  const uri = `docker-image://${fullName(image.name)}`;
  if (manifest !== undefined)
    return { uri, digest: digestSet(manifest), mediaType: 'application/vnd.oci.image.manifest.v1+json' };
  return { uri, digest: digestSet(image.id), mediaType: 'application/vnd.oci.image.config.v1+json' };
}

function manifestOf({ name, repoDigests }: NamedImage): string | undefined {
  const { domain, path } = parseReference(name);
  const own = repoDigests.find((each) => {
    const parsed = parseReference(each);
    return parsed.domain === domain && parsed.path === path;
  });
  return (own ?? repoDigests[0])?.split('@')[1];
}

function fullName(name: string): string {
  const { domain, path, tag, digest } = parseReference(name);
  return `${domain}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function digestSet(digest: string): Readonly<Record<string, string>> {
  const [algorithm = 'sha256', hex = ''] = digest.split(':');
  return { [algorithm]: hex };
}
