import { createHash } from 'node:crypto';
import type { Action, Origin, PlannedMount } from './plan.ts';

/** Raised when keys, or what layers hold for a key, change their meaning. */
const KEY_VERSION = 2;

/** 64 hexadecimal digits over parts that cannot run into each other. */
export function keyOf(...parts: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([KEY_VERSION, ...parts]))
    .digest('hex');
}

/**
 * All of an action that its result depends on, but for the state it begins with and the content it reads:
 * those are parts of the key beside this one.
 */
export function actionText(action: Action): string {
  switch (action.kind) {
    case 'metadata':
      return 'metadata';
    case 'workdir':
      return JSON.stringify(action);
    case 'copy':
      return JSON.stringify({
        ...action,
        sources: action.sources.map((source) => ({ ...source, origin: originText(source.origin) })),
      });
    case 'run': {
      const { passingEnv: _, ...rest } = action;
      return JSON.stringify({ ...rest, mounts: action.mounts.map(mountText) });
    }
  }
}

/** Where it reads from in kind only: the content is digested. */
function originText(origin: Origin): unknown {
  switch (origin.kind) {
    case 'context':
    case 'named-context':
      return 'context';
    case 'stage':
    case 'image':
      return 'image';
    case 'url':
    case 'git':
      return origin;
  }
}

function mountText(mount: PlannedMount): unknown {
  switch (mount.type) {
    case 'bind':
      return { ...mount, origin: originText(mount.origin) };
    case 'cache':
      return { ...mount, seed: mount.seed && { ...mount.seed, origin: originText(mount.seed.origin) } };
    default:
      return mount;
  }
}
