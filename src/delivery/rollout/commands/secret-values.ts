import { createHmac, randomBytes } from 'node:crypto';

const SECRET_NAME = /pass(word|wd|phrase)?$|secret|token|credential|private|api_?key|access_?key|_key$|_dsn$/i;
const URL_PASSWORD = /(:\/\/[^:/@\s]*:)[^@\s]+@/g;

/**
 * The same value, fit to be shown: what stands under a name such as `DB_PASSWORD`, and passwords in addresses, are
 * replaced by a mark that is the same for the same value. It cannot be guessed at: its key dies with the process.
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

const MARK_KEY = randomBytes(32);

function maskOf(secret: string): string {
  return `(hidden ${createHmac('sha256', MARK_KEY).update(secret).digest('hex').slice(0, 8)})`;
}
