import type { FileObject, Project } from '../compose/index.ts';

/** The model as it is stored: without the contents of configs and secrets, which are kept by version. */
export function frozenModel(project: Project): Project {
  return { ...project, configs: withoutContents(project.configs), secrets: withoutContents(project.secrets) };
}

function withoutContents(objects: Readonly<Record<string, FileObject>>): Record<string, FileObject> {
  return Object.fromEntries(
    Object.entries(objects).map(([key, { content: _content, ...rest }]): [string, FileObject] => [key, rest]),
  );
}
