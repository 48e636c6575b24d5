/** One field of `--mount=type=cache,target=/x,ro`. */
export interface Field {
  readonly name: string;
  /** Undefined: there is no `=`. */
  readonly value: string | undefined;
}

/** Splits at commas as CSV does: a field in double quotes may hold commas, and `""` for a quote. */
export function splitFields(text: string): readonly Field[] {
  return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain = '']) => {
    const field = quoted === undefined ? plain : quoted.replaceAll('""', '"');
    const at = field.indexOf('=');
    return at < 0 ? { name: field, value: undefined } : { name: field.slice(0, at), value: field.slice(at + 1) };
  });
}
