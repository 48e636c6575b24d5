import type { HealthcheckConfig } from '../../../lib/oci/index.ts';
import { withoutCredentials } from '../sources/without-credentials.ts';

/** `created_by` of layers, as BuildKit writes it. */
export const describe = {
  run(args: readonly string[], buildArguments: readonly (readonly [name: string, value: string])[]): string {
    const given = buildArguments.map(([name, value]) => `${name}=${value}`);
    return ['RUN', ...(given.length === 0 ? [] : [`|${given.length}`, ...given]), ...args, '# buildkit'].join(' ');
  },
  copy(o: {
    readonly isAdd: boolean;
    readonly parents: boolean;
    readonly chown: string | undefined;
    readonly chmod: string | undefined;
    readonly sources: readonly string[];
    readonly destination: string;
  }): string {
    const flags = [
      ...(o.parents ? ['--parents'] : []),
      ...(o.chown === undefined ? [] : [`--chown=${o.chown}`]),
      ...(o.chmod === undefined ? [] : [`--chmod=${o.chmod}`]),
    ];
    const sources = o.sources.map(withoutCredentials);
    return [o.isAdd ? 'ADD' : 'COPY', ...flags, ...sources, o.destination, '# buildkit'].join(' ');
  },
  healthcheck(check: HealthcheckConfig): string {
    const words = (check.Test ?? []).map((word) => JSON.stringify(word)).join(' ');
    const times = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval];
    return `HEALTHCHECK &{[${words}] ${times.map((ns) => `"${goDuration(ns ?? 0)}"`).join(' ')} ${goRune(check.Retries ?? 0)}}`;
  },
};

/** As Go prints a duration: `1m30s`, `500ms`. */
function goDuration(ns: number): string {
  if (ns > 0 && ns < 1e9) return `${ns / 1e6}ms`;
  const seconds = ns / 1e9;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`;
}

/** As Go quotes a number that it takes for a character. */
function goRune(value: number): string {
  const isPrintable = value >= 32 && value < 127;
  return isPrintable ? `'${String.fromCharCode(value)}'` : `'\\x${value.toString(16).padStart(2, '0')}'`;
}
