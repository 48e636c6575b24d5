import {
  bool,
  bytes,
  bytesOrUnlimited,
  duration,
  float,
  integer,
  type Kind,
  list,
  mapping,
  matching,
  nullable,
  oneOf,
  string,
  text,
  wordOrWords,
  words,
} from './kinds.ts';
import { kept, object, required } from './object.ts';
import {
  command,
  dependencies,
  envFiles,
  fileReferences,
  healthTest,
  hosts,
  labels,
  namesOr,
  options,
  pairs,
  path,
} from './short.ts';
import { ports } from './short-ports.ts';
import { devices, ulimits, volumes } from './short-volumes.ts';
import { buildOrContext } from './schema-build.ts';
import { deploy, gpus } from './schema-deploy.ts';

/* A service, key by key, and how each value is read. https://github.com/compose-spec/compose-spec/blob/main/05-services.md */

const paths: Kind = {
  expects: 'a path, or a list of paths',
  read: (node, at, env) => (node.kind === 'list' ? list(path).read(node, at, env) : [path.read(node, at, env)]),
};
const numberOrText = list(text, { key: (word) => word });

const hook = object({
  command: kept(command),
  user: string,
  privileged: bool,
  working_dir: string,
  environment: pairs,
});

const healthcheck = object({
  disable: bool,
  interval: kept(duration),
  retries: kept(integer({ min: 0 })),
  test: healthTest,
  timeout: kept(duration),
  start_period: kept(duration),
  start_interval: kept(duration),
});

const watch = object({
  path: required(path),
  action: required(oneOf('rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec')),
  target: string,
  exec: hook,
  include: wordOrWords,
  ignore: wordOrWords,
  initial_sync: bool,
});
const develop: Kind = {
  expects: 'a mapping',
  read(node, at, env) {
    if (node.kind === 'scalar' && node.type === 'null') return undefined;
    const read = object<{ watch?: readonly object[] }>({ watch: list(watch) }).read(node, at, env);
    const triggers = read?.watch?.map((trigger) => ({ exec: { command: null }, ...trigger }));
    return { ...read, ...(triggers !== undefined && { watch: triggers }) };
  },
};

const network = object({
  aliases: words,
  interface_name: string,
  ipv4_address: string,
  ipv6_address: string,
  link_local_ips: words,
  mac_address: string,
  driver_opts: options,
  priority: float(),
  gw_priority: float(),
});

const blkioRate = list(object({ path: string, rate: bytes }));
const providerOption: Kind = {
  expects: 'a value, or a list',
  read: (node, at, env) => (node.kind === 'list' ? list(text).read(node, at, env) : [text.read(node, at, env)]),
};

const RESTART = /^(?:no|always|unless-stopped|on-failure(?::\d+)?)$/;
const PULL = /^(?:always|never|build|if_not_present|missing|refresh|daily|weekly|every_(?:\d+[wdhms])+)$/;

export const service = object({
  annotations: labels,
  attach: kept(bool),
  blkio_config: object({
    weight: integer({ min: 0 }),
    weight_device: list(object({ path: string, weight: integer({ min: 0 }) })),
    device_read_bps: blkioRate,
    device_read_iops: blkioRate,
    device_write_bps: blkioRate,
    device_write_iops: blkioRate,
  }),
  build: buildOrContext,
  cap_add: words,
  cap_drop: words,
  cgroup: oneOf('host', 'private'),
  cgroup_parent: string,
  command: kept(command),
  configs: fileReferences(() => undefined),
  container_name: matching('a name of letters, digits, "_", "." and "-", two at least', /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/),
  cpu_count: integer({ min: 0 }),
  cpu_percent: float({ min: 0, max: 100 }),
  cpu_period: integer({ min: 0 }),
  cpu_quota: integer({ min: -1 }),
  cpu_rt_period: integer({ min: 0 }),
  cpu_rt_runtime: integer({ min: 0 }),
  cpu_shares: integer({ min: 0 }),
  cpus: float({ min: 0 }),
  cpuset: string,
  credential_spec: object({ config: string, file: string, registry: string }),
  depends_on: dependencies,
  deploy,
  develop,
  device_cgroup_rules: words,
  devices,
  dns: wordOrWords,
  dns_opt: words,
  dns_search: wordOrWords,
  domainname: string,
  entrypoint: kept(command),
  env_file: envFiles,
  environment: pairs,
  expose: numberOrText,
  external_links: words,
  extra_hosts: hosts,
  gpus,
  group_add: numberOrText,
  healthcheck,
  hostname: string,
  image: string,
  init: kept(bool),
  ipc: string,
  isolation: string,
  label_file: paths,
  labels,
  links: words,
  logging: object({ driver: string, options }),
  mac_address: string,
  mem_limit: nonZero(bytes),
  mem_reservation: nonZero(bytes),
  mem_swappiness: nonZero(bytes),
  memswap_limit: nonZero(bytesOrUnlimited),
  models: namesOr(object({ endpoint_var: string, model_var: string })),
  network_mode: string,
  networks: namesOr(network),
  oom_kill_disable: bool,
  oom_score_adj: integer({ min: -1000, max: 1000 }),
  pid: nullable(string),
  pids_limit: integer({ min: -1 }),
  platform: string,
  ports,
  post_start: list(hook),
  pre_stop: list(hook),
  privileged: bool,
  profiles: words,
  provider: object({ type: required(string), options: mapping(providerOption, /.+/) }),
  pull_policy: matching('a pull policy: always, never, missing, build, daily, weekly or every_<duration>', PULL),
  pull_refresh_after: string,
  read_only: kept(bool),
  restart: matching('no, always, unless-stopped, on-failure or on-failure:<count>', RESTART),
  runtime: string,
  scale: kept(integer({ min: 0 })),
  secrets: fileReferences((source) => `/run/secrets/${source}`),
  security_opt: words,
  shm_size: nonZero(bytes),
  stdin_open: bool,
  stop_grace_period: kept(duration),
  stop_signal: string,
  storage_opt: options,
  sysctls: labels,
  tmpfs: wordOrWords,
  tty: bool,
  ulimits,
  use_api_socket: bool,
  user: string,
  userns_mode: string,
  uts: string,
  volumes,
  volumes_from: words,
  working_dir: string,
});

function nonZero(kind: Kind<string>): Kind<string> {
  return {
    expects: kind.expects,
    read(node, at, env) {
      const value = kind.read(node, at, env);
      return value === '0' ? undefined : value;
    },
  };
}
