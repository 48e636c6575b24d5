import { stringify } from 'yaml';
import { renderProject } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import type { ReleaseDetail, ReleaseDiff } from '../views.ts';
import type { Parts } from '../parts.ts';
import { compareValues } from './compare-values.ts';
import { withoutSecretValues } from './secret-values.ts';
import { releaseViews, requireProject } from './views.ts';

/** A release with all that was frozen; values that look like secrets are not shown. */
export function releaseDetail(parts: Parts, project: string, number: number): ReleaseDetail {
  requireProject(parts, project);
  const release = parts.releases.get(project, number);
  const view = releaseViews(parts, project).find((each) => each.number === number)!;
  const rollouts = parts.journal.list(project).filter(({ from, to }) => from === number || to === number);
  return {
    ...view,
    compose: stringify(withoutSecretValues(renderProject(release.model)), { lineWidth: 0 }),
    files: Object.entries(release.files).map(([name, { kind, version }]) => ({ name, kind, version })),
    rollouts: rollouts.map((record) => record.number),
  };
}

/** What a person would have to change to come from one release to the other. */
export function releaseDiff(parts: Parts, project: string, o: { from: number; to: number }): ReleaseDiff {
  requireProject(parts, project);
  const [before, after] = [parts.releases.get(project, o.from), parts.releases.get(project, o.to)];
  return { project, ...o, changes: compareValues(comparable(before), comparable(after)) };
}

/** The model with what was found for it: digests of images, versions of configs and secrets. */
function comparable({ model, services, files }: Release): unknown {
  const { services: written, ...rest } = renderProject(model) as {
    readonly services: Readonly<Record<string, object>>;
  };
  const resolved = Object.entries(written).map(([name, service]) => {
    const { imageSource, imageId, replicas } = services[name]!;
    return [name, { ...service, image: imageSource, imageId, replicas }] as const;
  });
  const versions = Object.entries(files).map(([name, { version }]) => [name.replace('/', '.'), version] as const);
  return withoutSecretValues({
    ...rest,
    services: Object.fromEntries(resolved),
    contents: Object.fromEntries(versions),
  });
}
