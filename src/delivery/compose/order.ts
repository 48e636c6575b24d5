import type { Project } from './project.ts';

/**
 * Service names so that each stands behind those it depends on; otherwise in alphabetical order. Dependencies on
 * services that are not in the project (`required: false`) do not count.
 */
export function servicesInOrder(project: Pick<Project, 'services'>): readonly string[] {
  const { services } = project;
  const ordered = new Set<string>();
  const visit = (name: string, open: ReadonlySet<string>): void => {
    if (ordered.has(name) || open.has(name) || !Object.hasOwn(services, name)) return;
    const dependencies = Object.keys(services[name]?.depends_on ?? {}).sort();
    for (const other of dependencies) visit(other, new Set([...open, name]));
    ordered.add(name);
  };
  for (const name of Object.keys(services).sort()) visit(name, new Set());
  return [...ordered];
}
