import { loadProject, type Project, type ProjectSource } from '../../src/delivery/compose/index.ts';

/** Loads a project out of texts by name; the first (or `compose`) are the Compose files, all can be read. */
export function loadText(
  files: string | Readonly<Record<string, string>>,
  options: Partial<Pick<ProjectSource, 'environment' | 'profiles' | 'projectName'>> & {
    readonly compose?: readonly string[];
  } = {},
): Project {
  const texts = typeof files === 'string' ? { 'compose.yaml': files } : files;
  const names = options.compose ?? Object.keys(texts).slice(0, 1);
  return loadProject({
    files: names.map((name) => ({ path: `/project/${name}`, text: texts[name] ?? '' })),
    directory: '/project',
    environment: options.environment ?? { HOME: '/home/me' },
    profiles: options.profiles ?? [],
    ...(options.projectName !== undefined && { projectName: options.projectName }),
    readText: (path) => {
      const name = path.replace(/^\/project\//, '');
      return Object.hasOwn(texts, name) ? texts[name] : undefined;
    },
  });
}
