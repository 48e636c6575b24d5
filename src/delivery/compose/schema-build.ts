import { bool, bytes, expected, type Kind, recordOf, string, text, words } from './kinds.ts';
import { stringNode } from './node.ts';
import { kept, object } from './object.ts';
import { fileReferences, hosts, labels, pairs, path, sshKeys } from './short.ts';
import { ulimits } from './short-volumes.ts';

/* `build` of a service. https://github.com/compose-spec/compose-spec/blob/main/build.md */

/** Names to paths of this machine, or to what lies elsewhere. */
const contexts: Kind = {
  expects: pairs.expects,
  read(node, at, env) {
    const named = Object.entries(labels.read(node, at, env) ?? {});
    return recordOf(named.map(([name, value]) => [name, path.read(stringNode(node.at, value), at, env)] as const));
  },
};

const build = object({
  context: path,
  dockerfile: kept(string),
  dockerfile_inline: string,
  entitlements: words,
  args: pairs,
  ssh: sshKeys,
  labels,
  cache_from: words,
  cache_to: words,
  no_cache: bool,
  additional_contexts: contexts,
  network: string,
  provenance: text,
  sbom: text,
  pull: bool,
  target: string,
  shm_size: bytes,
  extra_hosts: hosts,
  isolation: string,
  privileged: bool,
  secrets: fileReferences(() => undefined),
  tags: words,
  ulimits,
  platforms: words,
});

/** Without a context it is the folder that paths of this file are resolved against. */
export const buildOrContext: Kind = {
  expects: 'a path, or a mapping',
  read(node, at, env) {
    const context = node.at.source.directory;
    if (node.kind === 'map') return { context, ...(build.read(node, at, env) as object) };
    if (node.kind === 'scalar' && node.type === 'string') return { context: path.read(node, at, env) || context };
    throw expected(node, at, 'a path, or a mapping');
  },
};
