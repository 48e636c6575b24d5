import { createHash } from 'node:crypto';

const SECRET_NAME = /pass(word|wd|phrase)?$|secret|token|credential|private|api_?key|access_?key|_key$|_dsn$/i;
const URL_PASSWORD = /(:\/\/[^:/@\s]*:)[^@\s]+@/g;

/**
 * The same value, fit to be shown: what stands under a name such as `DB_PASSWORD`, and passwords in addresses, are
 * replaced by a short hash, so that a change can still be seen.
 */
export function withoutSecretValues(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutSecretValues(each, name));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutSecretValues(inner, key)]));
  }
  if (typeof value !== 'string' || value === '') return value;
  if (SECRET_NAME.test(name)) return maskOf(value);
  return value.replaceAll(URL_PASSWORD, (all, before: string) => `${before}${maskOf(all)}@`);
}

function maskOf(secret: string): string {
  return `(hidden ${createHash('sha256').update(secret).digest('hex').slice(0, 8)})`;
}
