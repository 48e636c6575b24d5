import type { HealthcheckConfig } from '../../../lib/oci/index.ts';

/** `created_by` of layers, as BuildKit writes it. */
export const describe = {
  run(args: readonly string[], buildArguments: readonly (readonly [name: string, value: string])[]): string {
    const given = buildArguments.map(([name, value]) => `${name}=${value}`);
    return ['RUN', ...(given.length === 0 ? [] : [`|${given.length}`, ...given]), ...args, '# buildkit'].join(' ');
  },
  copy(o: {
    readonly isAdd: boolean;
    readonly chown: string | undefined;
    readonly chmod: string | undefined;
    readonly sources: readonly string[];
    readonly destination: string;
  }): string {
    const flags = [
      ...(o.chown === undefined ? [] : [`--chown=${o.chown}`]),
      ...(o.chmod === undefined ? [] : [`--chmod=${o.chmod}`]),
    ];
    return [o.isAdd ? 'ADD' : 'COPY', ...flags, ...o.sources, o.destination, '# buildkit'].join(' ');
  },
  healthcheck(check: HealthcheckConfig): string {
    const words = (check.Test ?? []).map((word) => JSON.stringify(word)).join(' ');
    const times = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval];
    return `HEALTHCHECK &{[${words}] ${times.map((ns) => `"${(ns ?? 0) / 1e9}s"`).join(' ')} '${check.Retries ?? 0}'}`;
  },
};
