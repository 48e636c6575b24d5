import {
  bool,
  emptyAllowed,
  integer,
  type Kind,
  list,
  mapping,
  nullable,
  string,
  text,
  wordOrWords,
  words,
} from './kinds.ts';
import { kept, object, required } from './object.ts';
import { labels, options, path } from './short.ts';
import { service } from './schema-service.ts';

/* What a Compose file may say, key by key. https://github.com/compose-spec/compose-spec/blob/main/spec.md */

/** `true`, or the deprecated `{name: …}`. */
const external: Kind = {
  expects: 'true or false',
  read: (node, at, env) =>
    node.kind === 'map' ? object({ name: string }).read(node, at, env) : bool.read(node, at, env),
};

const pool = object({ subnet: string, gateway: string, ip_range: string, aux_addresses: options });
const ipam = object({ driver: string, config: list(pool), options });

const networkObject = emptyAllowed(
  object({
    name: string,
    driver: string,
    driver_opts: options,
    ipam,
    external,
    internal: bool,
    attachable: bool,
    enable_ipv4: kept(bool),
    enable_ipv6: kept(bool),
    labels,
  }),
);
const volumeObject = emptyAllowed(object({ name: string, driver: string, driver_opts: options, external, labels }));
const fileObject = {
  name: string,
  file: path,
  environment: string,
  external,
  labels,
  driver: string,
  driver_opts: options,
  template_driver: string,
};

const include = object({ path: wordOrWords, env_file: wordOrWords, project_directory: string });

/** The whole file, after files are merged and `include` and `extends` are applied. */
export const composeFile = object({
  version: text,
  name: string,
  include: nullable(
    list({ expects: 'a path', read: (node, at, env) => (node.kind === 'map' ? include : string).read(node, at, env) }),
  ),
  services: mapping(service),
  networks: mapping(networkObject),
  volumes: mapping(volumeObject),
  configs: mapping(object({ ...fileObject, content: kept(string) })),
  secrets: mapping(object({ ...fileObject })),
  models: mapping(
    object({ name: string, model: required(string), context_size: integer({ min: 0 }), runtime_flags: words }),
  ),
});
