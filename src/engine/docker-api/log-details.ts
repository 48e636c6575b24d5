import type { ContainerSpec } from '../runtime/index.ts';

/**
 * What `docker logs --details` prints before each line: what the log options `labels`, `env` and `tag` name, sorted, and a
 * blank. Without any, dockerd prints the blank alone.
 */
export function logDetailsOf(spec: Pick<ContainerSpec, 'labels' | 'env' | 'docker'>): string {
  const { LogConfig } = spec.docker.HostConfig as { LogConfig?: { Config?: Record<string, string> | null } };
  const options = LogConfig?.Config ?? {};
  const env = Object.fromEntries(spec.env.map((text) => [nameIn(text), text.slice(nameIn(text).length + 1)]));
  const details: Record<string, string> = {
    ...pick(spec.labels, options['labels']),
    ...pick(env, options['env']),
    ...(options['tag'] === undefined || options['tag'] === '' ? {} : { tag: options['tag'] }),
  };
  const pairs = Object.keys(details)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(details[name] ?? '')}`);
  return `${pairs.join(',')} `;
}

function nameIn(assignment: string): string {
  return assignment.split('=', 1)[0] ?? '';
}

function pick(from: Readonly<Record<string, string>>, names: string | undefined): Record<string, string> {
  const wanted = (names ?? '').split(',').filter((name) => Object.hasOwn(from, name));
  return Object.fromEntries(wanted.map((name) => [name, from[name] ?? '']));
}

/** As Go's `url.QueryEscape`. */
function escaped(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1).replaceAll('*', '%2A').replaceAll('%7E', '~');
}
