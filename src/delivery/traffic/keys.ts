import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from '../../lib/files.ts';

/** What clients must not be able to say of themselves. Kept beside the traffic state, for root alone. */
export interface TrafficKeys {
  /** Value of the header by which the built-in probes are known. */
  readonly probeToken: string;
  /** Signs the buckets that clients keep in cookies; base64. */
  readonly bucketKey: string;
}

const PROBE_TOKEN = /^[0-9a-f]{32}$/;
const BUCKET_KEY = /^[A-Za-z0-9+/]{43}=$/;

/**
 * The keys of one scope, made the first time. Lost or broken ones are made anew: all that is lost by it are the buckets
 * of clients, who get other ones.
 */
export async function openTrafficKeys(directory: string): Promise<TrafficKeys> {
  const path = join(directory, 'keys');
  const known = parseKeys(await readTextIfThere(path));
  if (known !== undefined) return known;
  const keys = { probeToken: randomBytes(16).toString('hex'), bucketKey: randomBytes(32).toString('base64') };
  await writeFileAtomic(path, `${keys.probeToken} ${keys.bucketKey}\n`, 0o600);
  return keys;
}

function parseKeys(text = ''): TrafficKeys | undefined {
  const [probeToken = '', bucketKey = ''] = text.trim().split(' ');
  return PROBE_TOKEN.test(probeToken) && BUCKET_KEY.test(bucketKey) ? { probeToken, bucketKey } : undefined;
}
