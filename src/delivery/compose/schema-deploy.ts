import { bytes, duration, float, integer, type Kind, list, oneOf, string, words } from './kinds.ts';
import { kept, object } from './object.ts';
import { labels } from './short.ts';

/* `deploy` of a service. https://github.com/compose-spec/compose-spec/blob/main/deploy.md */

const deviceCount: Kind = {
  expects: 'a number, or "all"',
  read: (node, at, env) =>
    node.kind === 'scalar' && node.value === 'all' ? -1 : integer({ min: -1 }).read(node, at, env),
};
const gpuDevice = object({
  capabilities: words,
  count: deviceCount,
  device_ids: words,
  driver: string,
  options: labels,
});
export const gpus: Kind = {
  expects: '"all", or a list',
  read: (node, at, env) =>
    node.kind === 'scalar' && node.value === 'all' ? [{ count: -1 }] : list(gpuDevice).read(node, at, env),
};

const updateConfig = object({
  parallelism: kept(integer({ min: 0 })),
  delay: duration,
  failure_action: oneOf('continue', 'pause', 'rollback'),
  monitor: duration,
  max_failure_ratio: float({ min: 0, max: 1 }),
  order: oneOf('start-first', 'stop-first'),
});

const resourceLimits = { cpus: float({ min: 0 }), memory: bytes, pids: integer({ min: -1 }) };
const genericResource = object({ discrete_resource_spec: object({ kind: string, value: integer() }) });

const deployKind = object({
  mode: oneOf('replicated', 'global', 'replicated-job', 'global-job'),
  endpoint_mode: oneOf('vip', 'dnsrr'),
  replicas: kept(integer({ min: 0 })),
  labels,
  rollback_config: updateConfig,
  update_config: updateConfig,
  resources: object({
    limits: object(resourceLimits),
    reservations: object({
      cpus: resourceLimits.cpus,
      memory: bytes,
      generic_resources: list(genericResource),
      devices: list(gpuDevice),
    }),
  }),
  restart_policy: object({
    condition: oneOf('none', 'no', 'on-failure', 'any', 'always', 'unless-stopped'),
    delay: kept(duration),
    max_attempts: kept(integer({ min: 0 })),
    window: kept(duration),
  }),
  placement: object({
    constraints: list(string),
    preferences: list(object({ spread: string })),
    max_replicas_per_node: integer({ min: 0 }),
  }),
});

/** Compose always prints `resources` and `placement`. */
export const deploy: Kind = {
  expects: 'a mapping',
  read(node, at, env) {
    if (node.kind === 'scalar' && node.type === 'null') return undefined;
    return { resources: {}, placement: {}, ...(deployKind.read(node, at, env) as object) };
  },
};
