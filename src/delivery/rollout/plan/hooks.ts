import type { LifecycleHook } from '../../compose/index.ts';
import { JOB_LABEL, type ObservedInstance } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import { step } from './plan.ts';
import type { HookedService, Step } from './step.ts';

export type HookKind = 'post_start' | 'pre_stop';

export function hooksOf(release: Release, service: string, hook: HookKind): readonly LifecycleHook[] {
  return release.model.services[service]?.[hook] ?? [];
}

/** The service of an instance, where it wants something to be done before it is stopped. */
export function hookedService(release: Release | undefined, service: string): { readonly hooks?: HookedService } {
  if (release === undefined || hooksOf(release, service, 'pre_stop').length === 0) return {};
  return { hooks: { release: release.number, service } };
}

/** What is done in running instances before they are stopped, whatever release made them. */
export function preStopSteps(
  releases: ReadonlyMap<number, Release>,
  instances: readonly ObservedInstance[],
): readonly Step[] {
  return instances.flatMap((seen) => {
    const release = releases.get(seen.release);
    if (release === undefined || seen.state !== 'running' || JOB_LABEL in seen.labels) return [];
    if (release.services[seen.service]?.job === true) return [];
    const { hooks } = hookedService(release, seen.service);
    if (hooks === undefined) return [];
    return [
      step('declared in the Compose file', { kind: 'run-hooks', instance: seen.name, hook: 'pre_stop', ...hooks }),
    ];
  });
}
