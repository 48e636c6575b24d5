import { UserError } from '../../../lib/errors.ts';
import { portProtocol, type Project, type Service } from '../../compose/index.ts';
import { builtImageName, type Fleet, type ResolvedImage } from '../../fleet/index.ts';
import {
  type FileVersion,
  frozenModel,
  identitiesOf,
  type NewRelease,
  type ReleasedService,
} from '../../release/index.ts';
import { normalisedMatch, type RouteMatch } from '../../traffic/index.ts';
import type { BuiltImage } from '../views.ts';
import type { DeployRequest, WatchOptions } from '../face.ts';

/** Builds, or finds, the image of every service; gives them by service. */
export async function resolveImages(
  fleet: Fleet,
  request: DeployRequest,
  o: WatchOptions,
): Promise<Readonly<Record<string, ResolvedImage>>> {
  const images: Record<string, ResolvedImage> = {};
  for (const [name, service] of Object.entries(request.project.services)) {
    o.signal.throwIfAborted();
    images[name] = await resolveImageOf(fleet, { request, name, service }, o);
  }
  return images;
}

interface ImageNeed {
  readonly request: DeployRequest;
  readonly name: string;
  readonly service: Service;
}

async function resolveImageOf(fleet: Fleet, need: ImageNeed, o: WatchOptions): Promise<ResolvedImage> {
  const { service, request } = need;
  if (service.build !== undefined && request.build) return await buildImageOf(fleet, need, o);
  if (service.build !== undefined) return (await fleet.findImage(imageNameOfService(need))) ?? notBuilt(need);
  const onOutput = (line: string): void => o.onProgress({ type: 'build-output', service: need.name, line });
  return await fleet.resolveImage(service.image ?? '', {
    pull: service.pull_policy === 'always' ? 'always' : service.pull_policy === 'never' ? 'never' : 'missing',
    ...(service.platform === undefined ? {} : { platform: service.platform }),
    onOutput,
    signal: o.signal,
  });
}

/** Its name in the Compose file, or the one that Compose gives to an image that it builds. */
function imageNameOfService({ request, name, service }: ImageNeed): string {
  return service.image ?? builtImageName(request.project.name, name);
}

async function buildImageOf(fleet: Fleet, need: ImageNeed, o: WatchOptions): Promise<ResolvedImage> {
  const { request, name, service } = need;
  const started = performance.now();
  o.onProgress({ type: 'build-started', service: name });
  const image = await fleet.buildImage({
    service: name,
    build: service.build!,
    tags: [imageNameOfService(need)],
    labels: {},
    noCache: request.noCache ?? false,
    ...(service.platform === undefined ? {} : { platform: service.platform }),
    onOutput: (line) => o.onProgress({ type: 'build-output', service: name, line }),
    signal: o.signal,
  });
  o.onProgress({ type: 'build-done', service: name, imageId: image.id, durationMs: performance.now() - started });
  return image;
}

function notBuilt(need: ImageNeed): never {
  throw new UserError({
    code: 'image-not-built',
    kind: 'not-found',
    message: `services.${need.name}: the image ${imageNameOfService(need)} was not built yet`,
    fix: 'Deploy without --no-build, or run `bascule build` first.',
  });
}

/** Builds what has `build:`, and nothing else. */
export async function buildImages(
  fleet: Fleet,
  request: DeployRequest,
  o: WatchOptions,
): Promise<readonly BuiltImage[]> {
  const built: BuiltImage[] = [];
  for (const [name, service] of Object.entries(request.project.services)) {
    if (service.build === undefined) continue;
    const image = await buildImageOf(fleet, { request, name, service }, o);
    built.push({ service: name, imageId: image.id, imageName: imageNameOfService({ request, name, service }) });
  }
  return built;
}

/** For a dry run: what is to be built has no image yet, and counts as changed. */
export async function findImages(
  fleet: Fleet,
  request: DeployRequest,
): Promise<Readonly<Record<string, ResolvedImage>>> {
  const found = Object.entries(request.project.services).map(async ([name, service]) => {
    const isToBuild = service.build !== undefined && request.build;
    const image = isToBuild ? undefined : await fleet.findImage(imageNameOfService({ request, name, service }));
    return [name, image ?? { id: 'not there yet', sizeBytes: 0 }] as const;
  });
  return Object.fromEntries(await Promise.all(found));
}

/** The release as it will be frozen. */
export function releaseOf(
  request: DeployRequest,
  o: {
    readonly images: Readonly<Record<string, ResolvedImage>>;
    readonly files: Readonly<Record<string, FileVersion>>;
    readonly predecessor: number | undefined;
  },
): NewRelease {
  const imageIds = Object.fromEntries(Object.entries(o.images).map(([name, { id }]) => [name, id]));
  const identities = identitiesOf({ project: request.project, images: imageIds, files: o.files });
  const services = Object.entries(request.project.services).map(([name, service]): [string, ReleasedService] => [
    name,
    {
      name,
      imageId: imageIds[name]!,
      imageSource: imageNameOfService({ request, name, service }),
      ...(o.images[name]!.repoDigest === undefined ? {} : { repoDigest: o.images[name]!.repoDigest }),
      ...identities[name]!,
    },
  ]);
  return {
    project: request.project.name,
    author: request.author,
    ...(request.sourceRevision === undefined ? {} : { sourceRevision: request.sourceRevision }),
    ...(o.predecessor === undefined ? {} : { predecessor: o.predecessor }),
    model: frozenModel(request.project),
    services: Object.fromEntries(services),
    files: o.files,
  };
}

/** The declared ports of a project, not chosen yet. */
export function declaredPorts(project: Project): readonly DeclaredPort[] {
  return Object.entries(project.services).flatMap(([service, model]) =>
    (model.ports ?? []).map((port) => {
      const protocol = portProtocol(port, model);
      return {
        service,
        target: port.target,
        protocol,
        published: port.published ?? '',
        ...(port.host_ip === undefined || port.host_ip === '' || port.host_ip === '0.0.0.0'
          ? {}
          : { hostAddress: port.host_ip }),
        ...(protocol === 'http' ? normalisedMatch(model.settings.route ?? {}) : {}),
        tlsPorts:
          protocol === 'http' && model.settings.tls !== undefined ? (model.settings.tls.ports ?? TLS_PORTS) : [],
      };
    }),
  );
}

/** Where clients expect TLS. */
const TLS_PORTS = [443, 8443];

export interface DeclaredPort extends RouteMatch {
  /** Host ports that speak TLS, if this is one of them. */
  readonly tlsPorts: readonly number[];
  readonly service: string;
  readonly target: number;
  readonly protocol: 'http' | 'tcp' | 'udp';
  /** A port, a range, or nothing. */
  readonly published: string;
  readonly hostAddress?: string;
}
