import { assertSupported } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import { withImages } from './amend.ts';
import type { DeployRequest, WatchOptions } from '../face.ts';
import type { PlanView } from '../views.ts';
import type { RolloutOutcome } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { findImages, releaseOf, resolveImages } from './prepare.ts';
import { planIntention, rollOut } from './roll-out.ts';

/** Images, a frozen release, a plan, and the rollout. */
export async function deploy(parts: Parts, asked: DeployRequest, watch: WatchOptions): Promise<RolloutOutcome> {
  const request = { ...asked, project: withImages(asked.project, asked.images ?? {}) };
  assertSupported(request.project);
  const { project, author, force, strategy } = request;
  return await rollOut(
    parts,
    {
      project: project.name,
      author,
      force,
      ...(strategy === undefined ? {} : { strategy }),
      freeze: (o) => freeze(parts, request, o),
    },
    watch,
  );
}

/** The release that would be stored next; nothing of it exists yet but images and the contents of its files. */
async function freeze(parts: Parts, request: DeployRequest, watch: WatchOptions): Promise<Release> {
  const project = request.project.name;
  const images = await resolveImages(parts.fleet, request, watch);
  const files = await parts.files.keep(request.project, request.environment);
  const predecessor = parts.journal.standing(project).current?.release;
  const release = releaseOf(request, { images, files, predecessor });
  return { ...release, number: parts.releases.nextNumber(project), createdAt: parts.now() };
}

/** What `deploy` would do now. */
export async function dryRun(parts: Parts, asked: DeployRequest): Promise<PlanView> {
  const request = { ...asked, project: withImages(asked.project, asked.images ?? {}) };
  const project = request.project.name;
  assertSupported(request.project);
  await parts.ensureTraffic();
  const images = await findImages(parts.fleet, request);
  const files = await parts.files.keep(request.project, request.environment);
  const predecessor = parts.journal.standing(project).current?.release;
  const release = releaseOf(request, { images, files, predecessor });
  const target = { ...release, number: parts.releases.nextNumber(project), createdAt: parts.now() };
  const { force, strategy } = request;
  return await planIntention(parts, { target, force, ...(strategy === undefined ? {} : { strategy }) });
}
