import { InvalidArgumentError } from 'commander';

export interface FilterOptions {
  readonly filter?: Readonly<Record<string, readonly string[]>>;
}

/** `NAME=VALUE`, several times: values of one name are alternatives. */
export function collectFilter(
  text: string,
  previous: Readonly<Record<string, readonly string[]>> | undefined,
): Readonly<Record<string, readonly string[]>> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be NAME=VALUE, such as dangling=true.');
  const name = text.slice(0, equals);
  return { ...previous, [name]: [...(previous?.[name] ?? []), text.slice(equals + 1)] };
}

/** The first 12 digits. */
export function shortId(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}
