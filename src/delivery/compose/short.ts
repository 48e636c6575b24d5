import {
  bool,
  expected,
  invalid,
  type Kind,
  list,
  mapping,
  nullable,
  oneOf,
  orNothing,
  type ReadEnvironment,
  recordOf,
  string,
  text,
  uniqueBy,
  wordOrWords,
} from './kinds.ts';
import { joinPath, type Node } from './node.ts';
import { object, required } from './object.ts';
import { absolutePath, expandHome, isRemote } from './paths.ts';
import type { Dependency, EnvFile, FileReference } from './service.ts';
import { splitWords } from './shell.ts';

type Pairs = Readonly<Record<string, string | null>>;

/** `{A: 1, B: null}` or `[A=1, B]`; null where only the name is given. */
export const pairs: Kind<Pairs> = {
  expects: 'a mapping, or a list of NAME=value',
  read(node, path, env) {
    if (node.kind === 'map') return mapping(nullable(text), /.+/).read(node, path, env);
    if (node.kind !== 'list') throw expected(node, path, 'a mapping, or a list of NAME=value');
    return orNothing(recordOf(node.items.map((item, index) => pairOf(item, joinPath(path, index)))));
  },
};

function pairOf(item: Node, path: string): readonly [string, string | null] {
  if (item.kind !== 'scalar' || item.type !== 'string') throw expected(item, path, 'text such as NAME=value');
  const index = item.value.indexOf('=');
  if (index === 0) throw invalid(item, path, 'a name is missing before the "="', 'Write NAME=value.');
  return index < 0 ? [item.value, null] : [item.value.slice(0, index), item.value.slice(index + 1)];
}

/** Like `pairs`, with the empty string where only the name is given. */
export const labels: Kind<Readonly<Record<string, string>>> = {
  expects: pairs.expects,
  read: (node, path, env) => withoutNull(pairs.read(node, path, env)),
};

function withoutNull(read: Pairs | undefined): Readonly<Record<string, string>> | undefined {
  return read && recordOf(Object.entries(read).map(([key, value]) => [key, value ?? ''] as const));
}

/** Options of a driver: names to strings or numbers. */
export const options: Kind<Readonly<Record<string, string>>> = {
  expects: 'a mapping',
  read(node, path, env) {
    return withoutNull(mapping(nullable(text), /.+/).read(node, path, env));
  },
};

/** A list of words, a command line to split, or nothing. */
export const command: Kind<readonly string[] | null> = nullable({
  expects: 'a list of words, or a command line',
  read(node, path, env) {
    if (node.kind === 'list') return list(string).read(node, path, env);
    if (node.kind !== 'scalar' || node.type !== 'string')
      throw expected(node, path, 'a list of words, or a command line');
    const words = splitWords(node.value);
    if (typeof words !== 'string') return words;
    throw invalid(
      node,
      path,
      `cannot split the command: ${words}`,
      'Close the quote, or write ["sh", "-c", "…"] when you want a shell.',
    );
  },
});

/** `healthcheck.test`: text is for a shell, a list begins with CMD, CMD-SHELL or NONE. */
export const healthTest: Kind<readonly string[]> = {
  expects: 'a command line, or a list',
  read(node, path, env) {
    if (node.kind === 'scalar' && node.type === 'string') return ['CMD-SHELL', node.value];
    const words = list(string).read(node, path, env) ?? [];
    if (words.length === 0 || ['CMD', 'CMD-SHELL', 'NONE'].includes(words[0] ?? '')) return words;
    throw invalid(
      node,
      path,
      'must start with CMD, CMD-SHELL or NONE',
      `Write ["CMD", ${words.map((word) => JSON.stringify(word)).join(', ')}].`,
    );
  },
};

/** `name=address`, one for each address of a name. */
export const hosts: Kind<readonly string[]> = {
  expects: 'a mapping of names to addresses, or a list of NAME=ADDRESS',
  read(node, path, env) {
    const found = node.kind === 'map' ? hostsOfMapping(node, path, env) : hostsOfList(node, path, env);
    return uniqueBy(found, (host) => host).toSorted();
  },
};

function hostsOfMapping(node: Node, path: string, env: ReadEnvironment): readonly string[] {
  const read = mapping(wordOrWords, /.+/).read(node, path, env) ?? {};
  return Object.entries(read).flatMap(([name, addresses]) => addresses.map((address) => `${name}=${bare(address)}`));
}

function hostsOfList(node: Node, path: string, env: ReadEnvironment): readonly string[] {
  const words = list(string).read(node, path, env) ?? [];
  return words.map((word, index) => hostOf(word, node, joinPath(path, index)));
}

function hostOf(word: string, node: Node, path: string): string {
  const match = /^([^=:]+)[=:](.+)$/.exec(word);
  if (match === null)
    throw invalid(node, path, `"${word}" has no address`, 'Write NAME=ADDRESS, for example "db=10.0.0.5".');
  return `${match[1]}=${bare(match[2] ?? '')}`;
}

function bare(address: string): string {
  return address.replace(/^\[|\]$/g, '');
}

/** A path of this machine, made absolute against the folder of the file that it stands in. */
export const path: Kind<string> = {
  expects: 'a path',
  read(node, at, env) {
    const value = string.read(node, at, env) ?? '';
    return value === '' || isRemote(value)
      ? value
      : absolutePath(expandHome(value, env.home), node.at.source.directory);
  },
};

const longEnvFile = object<EnvFile>({ path: required(path), required: { kind: bool, keepZero: true }, format: string });

export const envFiles: Kind<readonly EnvFile[]> = {
  expects: 'a path, or a list of paths',
  read(node, at, env) {
    const one: Kind<EnvFile> = {
      expects: 'a path',
      read: (item, below) =>
        item.kind === 'map' ? longEnvFile.read(item, below, env) : { path: path.read(item, below, env) ?? '' },
    };
    if (node.kind === 'scalar') return [{ path: path.read(node, at, env) ?? '' }];
    return uniqueBy(list(one).read(node, at, env) ?? [], (file) => file.path);
  },
};

const CONDITIONS = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;

const dependency: Kind<Dependency> = {
  expects: 'a mapping with "condition"',
  read(node, at, env) {
    const read = object<Partial<Dependency>>({
      condition: required(oneOf(...CONDITIONS)),
      restart: bool,
      required: { kind: bool, keepZero: true },
    }).read(node, at, env);
    return { required: true, ...read } as Dependency;
  },
};

export const dependencies: Kind<Readonly<Record<string, Dependency>>> = {
  expects: 'a list of services, or a mapping of services to conditions',
  read(node, at, env) {
    if (node.kind === 'map') return mapping(dependency).read(node, at, env);
    const names = list(string).read(node, at, env) ?? [];
    return orNothing(recordOf(names.map((name) => [name, { condition: 'service_started', required: true }] as const)));
  },
};

/** A list of names stands for a mapping of names to nothing. */
export function namesOr<T>(value: Kind<T>): Kind<Readonly<Record<string, T | null>>> {
  return {
    expects: 'a list of names, or a mapping',
    read(node, at, env) {
      if (node.kind === 'map') return mapping(nullable(value)).read(node, at, env);
      const names = list(string).read(node, at, env) ?? [];
      return orNothing(recordOf(names.map((name) => [name, null] as const)));
    },
  };
}

const permissions: Kind<string> = {
  expects: 'permissions in octal such as 0440',
  read(node, at) {
    if (node.kind === 'scalar' && node.type === 'int') return `0${node.value.toString(8)}`;
    if (node.kind === 'scalar' && node.type === 'string' && /^(?:0o)?[0-7]{3,5}$/.test(node.value)) {
      return `0${Number.parseInt(node.value.replace('0o', ''), 8).toString(8)}`;
    }
    throw expected(node, at, 'permissions in octal such as 0440');
  },
};

/** `configs`, `secrets` of a service or a build; `targetOf` gives the default target. */
export function fileReferences(targetOf: (source: string) => string | undefined): Kind<readonly FileReference[]> {
  const long = object<FileReference>({
    source: required(string),
    target: string,
    uid: text,
    gid: text,
    mode: permissions,
  });
  const one: Kind<FileReference> = {
    expects: 'a name, or a mapping with "source"',
    read(node, at, env) {
      const read = node.kind === 'map' ? long.read(node, at, env) : { source: string.read(node, at, env) ?? '' };
      const source = read?.source ?? '';
      const target = read?.target ?? targetOf(source);
      return { ...read, source, ...(target !== undefined && { target }) };
    },
  };
  return list(one, { key: (reference) => reference.target ?? `/${reference.source}` });
}

/** `{default: null, id: path}` or `[default, id=path]` → `default`, `id=path`. */
export const sshKeys: Kind<readonly string[]> = {
  expects: pairs.expects,
  read: (node, at, env) =>
    Object.entries(pairs.read(node, at, env) ?? {}).map(([id, value]) =>
      value === null || value === '' ? id : `${id}=${value}`,
    ),
};
