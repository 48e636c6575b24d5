import type { Project } from './project.ts';

/** Service names so that each stands behind those it depends on; ties in alphabetical order. */
export function servicesInOrder(project: Project): readonly string[] {
  return Object.keys(project.services);
}
