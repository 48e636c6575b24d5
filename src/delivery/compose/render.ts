import type { Project } from './project.ts';
import type { Service } from './service.ts';

/**
 * The project as `docker compose config --format json` prints it: a Compose file that says the same with nothing
 * left to resolve. `$` is doubled, so that it can be loaded again.
 */
export function renderProject(project: Project): Record<string, unknown> {
  const { name, services, networks, volumes, configs, secrets, models, extensions } = project;
  const sections = Object.entries({ networks, volumes, configs, secrets, models }).filter(
    ([, section]) => Object.keys(section).length > 0,
  );
  const plainServices = Object.fromEntries(
    Object.entries(services).map(([key, service]) => [key, withoutSettings(service)]),
  );
  return escapeDollars({ name, services: plainServices, ...Object.fromEntries(sections), ...extensions }) as Record<
    string,
    unknown
  >;
}

function withoutSettings(service: Service): Record<string, unknown> {
  const { settings: _, ...rest } = service;
  return rest;
}

function escapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escapeDollars);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escapeDollars(one)]));
}
