import { UserError } from '../../../lib/errors.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import type { Project, Service } from '../../compose/index.ts';
import type { ResolvedImage } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import type { AmendRequest, WatchOptions } from '../face.ts';
import type { PlanView } from '../views.ts';
import type { RolloutOutcome } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { releaseOf } from './prepare.ts';
import { planIntention, rollOut } from './roll-out.ts';
import { requireProject } from './views.ts';

/** A release like the current one with other images, other numbers of instances, or both. */
export async function amend(parts: Parts, request: AmendRequest, watch: WatchOptions): Promise<RolloutOutcome> {
  requireAmendable(parts, request);
  const { project, author, strategy } = request;
  const freeze = (o: WatchOptions): Promise<Release> => amended(parts, request, o);
  const intention = { project, author, force: false, freeze, keepCertificates: true };
  return await rollOut(parts, { ...intention, ...(strategy === undefined ? {} : { strategy }) }, watch);
}

/** What `amend` would do now. An image that is not on this machine yet is pulled. */
export async function planAmend(parts: Parts, request: AmendRequest): Promise<PlanView> {
  requireAmendable(parts, request);
  await parts.ensureTraffic();
  const watch = { onProgress: () => {}, signal: new AbortController().signal };
  const target = await amended(parts, request, watch);
  const { strategy } = request;
  return await planIntention(parts, {
    target,
    force: false,
    keepCertificates: true,
    ...(strategy === undefined ? {} : { strategy }),
  });
}

async function amended(parts: Parts, request: AmendRequest, watch: WatchOptions): Promise<Release> {
  const base = requireAmendable(parts, request);
  const project = withReplicas(withImages(base.model, request.images ?? {}), request.replicas ?? {});
  const { author } = request;
  const images = await imagesOf(parts, { base, images: request.images ?? {} }, watch);
  const asked = { project, author, build: false, force: false, environment: {} };
  const made = releaseOf(asked, { images, files: base.files, predecessor: base.number });
  const revision = base.sourceRevision === undefined ? {} : { sourceRevision: base.sourceRevision };
  return { ...made, ...revision, number: parts.releases.nextNumber(base.project), createdAt: parts.now() };
}

/** Those of the current release stay exactly as they are, whatever their tags name by now. */
async function imagesOf(
  { fleet }: Parts,
  o: { readonly base: Release; readonly images: Readonly<Record<string, string>> },
  watch: WatchOptions,
): Promise<Readonly<Record<string, ResolvedImage>>> {
  const images: Record<string, ResolvedImage> = {};
  for (const { name, imageId, repoDigest } of Object.values(o.base.services)) {
    const kept = { id: imageId, sizeBytes: 0, ...(repoDigest === undefined ? {} : { repoDigest }) };
    const wanted = o.images[name];
    images[name] = wanted === undefined ? kept : await resolve(wanted, name);
  }
  return images;

  function resolve(reference: string, service: string): Promise<ResolvedImage> {
    const onOutput = (line: string): void => watch.onProgress({ type: 'build-output', service, line });
    return fleet.resolveImage(reference, { pull: 'missing', onOutput, signal: watch.signal });
  }
}

/** The project with other images: what was built is not built any more. */
export function withImages(project: Project, images: Readonly<Record<string, string>>): Project {
  requireServices(project, Object.keys(images));
  const services = Object.entries(images).map(([name, image]): [string, Service] => {
    const { build: _, ...service } = project.services[name]!;
    return [name, { ...service, image }];
  });
  return { ...project, services: { ...project.services, ...Object.fromEntries(services) } };
}

function withReplicas(project: Project, replicas: Readonly<Record<string, number>>): Project {
  const services = Object.entries(replicas).map(([name, count]): [string, Service] => {
    const { scale: _, deploy, ...service } = project.services[name]!;
    const declared = deploy ?? { resources: {}, placement: {} };
    return [name, { ...service, deploy: { ...declared, replicas: count } }];
  });
  return { ...project, services: { ...project.services, ...Object.fromEntries(services) } };
}

/** The release that serves, of which the amended one is made. */
function requireAmendable(parts: Parts, { project, images = {}, replicas = {} }: AmendRequest): Release {
  requireProject(parts, project);
  const current = parts.journal.standing(project).current;
  if (current === undefined) throw nothingServes(project);
  const release = parts.releases.get(project, current.release);
  requireServices(release.model, [...Object.keys(images), ...Object.keys(replicas)]);
  for (const [name, count] of Object.entries(replicas)) requireScalable(release, name, count);
  return release;
}

function requireServices({ name: project, services }: Project, names: readonly string[]): void {
  const known = Object.keys(services);
  for (const name of names) {
    if (known.includes(name)) continue;
    const near = nearestWord(name, known);
    throw new UserError({
      code: 'service-not-found',
      kind: 'not-found',
      message: `"${project}" has no service "${name}"`,
      fix: near === undefined ? `Its services are: ${known.join(', ')}.` : `Did you mean "${near}"?`,
      details: { project, service: name },
    });
  }
}

function requireScalable({ project, services }: Release, name: string, count: number): void {
  const { stateful, job } = services[name]!;
  const isValid = Number.isSafeInteger(count) && count >= 0;
  if (isValid && !(stateful && count > 1) && !job) return;
  throw new UserError({
    code: 'scale-refused',
    kind: isValid ? 'conflict' : 'invalid',
    message: isValid
      ? `${name} of "${project}" ${job ? 'is a job: it runs once a rollout' : 'has a volume: two instances must not write to it at once'}`
      : `"${count}" is not a number of instances`,
    fix: isValid
      ? 'Say `x-bascule: {stateful: false}` for the service if its instances may share the volume.'
      : 'Give a number from 0 on.',
    details: { project, service: name },
  });
}

function nothingServes(project: string): UserError {
  return new UserError({
    code: 'nothing-serves',
    kind: 'conflict',
    message: `nothing of "${project}" serves: there is no release to change`,
    fix: 'Run `bascule up` first.',
    details: { project },
  });
}
