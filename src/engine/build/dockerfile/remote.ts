/** A repository that ADD names (build contexts, "URL fragments" and "URL queries"). */
export interface GitReference {
  /** As git takes it. */
  readonly remote: string;
  readonly ref: string | undefined;
  /** Relative; empty: all of it. */
  readonly subdirectory: string;
  readonly checksum: string | undefined;
  readonly keepsGitDirectory: boolean | undefined;
  readonly submodules: boolean;
}

/** What is no local path; `problem`: it begins like a repository, but cannot be one. */
export type Remote =
  | { readonly kind: 'git'; readonly reference: GitReference }
  | { readonly kind: 'url'; readonly url: string; readonly fileName: string }
  | { readonly kind: 'problem'; readonly message: string };

const SCP = /^[a-zA-Z0-9_]+@[^/:\s]+:/;

/** Undefined for a local path. */
export function remoteOf(text: string): Remote | undefined {
  const isGit = /^(?:git|ssh):\/\//.test(text) || SCP.test(text);
  if (!isGit && !/^https?:\/\//.test(text)) return undefined;
  const [, address = '', query = '', fragment = ''] = /^([^?#]*)(?:\?([^#]*))?(?:#([^]*))?$/.exec(text) ?? [];
  if (isGit || address.endsWith('.git')) return gitRemote(address, query, fragment);
  const path = URL.canParse(text) ? new URL(text).pathname : '';
  return { kind: 'url', url: text, fileName: decoded(path.split('/').at(-1) ?? '') };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text).replaceAll('/', '');
  } catch {
    return text;
  }
}

function gitRemote(remote: string, query: string, fragment: string): Remote {
  const colon = fragment.indexOf(':');
  const fromFragment = {
    ref: colon < 0 ? fragment : fragment.slice(0, colon),
    subdir: colon < 0 ? '' : fragment.slice(colon + 1),
  };
  const parameters = new URLSearchParams(query);
  const problem = problemOf(parameters, fromFragment);
  if (problem !== undefined) return { kind: 'problem', message: problem };
  const [tag, branch] = [parameters.get('tag'), parameters.get('branch')];
  const checksum = parameters.get('checksum') ?? parameters.get('commit') ?? undefined;
  const ref =
    parameters.get('ref') ??
    (tag === null ? undefined : qualified('refs/tags/', tag)) ??
    (branch === null ? undefined : qualified('refs/heads/', branch)) ??
    (fromFragment.ref === '' ? checksum : fromFragment.ref);
  const subdirectory = parameters.get('subdir') ?? fromFragment.subdir;
  return {
    kind: 'git',
    reference: {
      remote,
      ref,
      subdirectory: subdirectory.replaceAll(/^\/+|\/+$/g, ''),
      checksum,
      keepsGitDirectory: switchOf(parameters, 'keep-git-dir'),
      submodules: switchOf(parameters, 'submodules') ?? true,
    },
  };
}

function qualified(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : prefix + name;
}

function switchOf(parameters: URLSearchParams, name: string): boolean | undefined {
  const value = parameters.get(name);
  return value === null ? undefined : value === '' || value === 'true' || value === '1';
}

const SWITCHES = ['keep-git-dir', 'submodules'];
const PARAMETERS = ['ref', 'tag', 'branch', 'subdir', 'checksum', 'commit', ...SWITCHES];

function problemOf(parameters: URLSearchParams, fragment: { ref: string; subdir: string }): string | undefined {
  for (const [name, value] of parameters) {
    if (!PARAMETERS.includes(name)) return `"${name}" is none of ${PARAMETERS.join(', ')}`;
    if (parameters.getAll(name).length > 1) return `"${name}" is given twice`;
    const isSwitch = SWITCHES.includes(name);
    if (value === '' && !isSwitch) return `"${name}" has no value`;
    if (isSwitch && !['', 'true', 'false', '1', '0'].includes(value)) return `"${name}" is either true or false`;
  }
  const refs = ['ref', 'tag', 'branch'].filter((name) => parameters.has(name));
  if (refs.length + (fragment.ref === '' ? 0 : 1) > 1) return 'more than one branch, tag or reference is named';
  if (parameters.has('subdir') && fragment.subdir !== '') return 'the folder is named twice';
  return undefined;
}
