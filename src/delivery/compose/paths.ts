/** Whether a build context or a file reference lies elsewhere than on this machine's file system. */
export function isRemote(text: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|git@|github\.com\/|service:)/i.test(text);
}

/** `~`, `~/x` and, as Compose does, `~x` under the home directory. */
export function expandHome(path: string, home: string | undefined): string {
  if (!path.startsWith('~') || home === undefined) return path;
  return joinPaths(home, path.slice(1));
}

/** An absolute, cleaned path; relative ones are taken from `directory`. */
export function absolutePath(path: string, directory: string): string {
  return path.startsWith('/') ? cleanPath(path) : joinPaths(directory, path);
}

function joinPaths(directory: string, path: string): string {
  return cleanPath(`${directory}/${path}`);
}

/** The shortest equal spelling, like Go's `path.Clean`: no `.`, `..`, doubled or trailing slashes. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!rooted) parts.push('..');
  }
  const joined = parts.join('/');
  return rooted ? `/${joined}` : joined === '' ? '.' : joined;
}

export function parentOf(path: string): string {
  return cleanPath(`${path}/..`);
}

export function baseName(path: string): string {
  return cleanPath(path).split('/').at(-1) ?? '';
}
