import { isIPv4, isIPv6 } from 'node:net';

/** So many at once, and then one in each so many milliseconds. */
interface Allowance {
  readonly burst: number;
  readonly everyMs: number;
}

/** Of passwords that turned out wrong. Somebody who mistypes does not notice; somebody who guesses does. */
const OF_USER_AND_ADDRESS: Allowance = { burst: 10, everyMs: 30_000 };
const OF_ADDRESS: Allowance = { burst: 60, everyMs: 3_000 };
/** Each comparison takes this process tens of milliseconds: guessing must not take all of them. */
const OF_ALL: Allowance = { burst: 300, everyMs: 500 };
const REMEMBERED = 20_000;

interface Bucket {
  left: number;
  at: number;
}

/** An attempt that may be made. */
export interface Attempt {
  /** The password was right: the attempt does not count. */
  forget(): void;
}

/** How often passwords may be tried, by user and address, by address, and by all. */
export class LoginAttempts {
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns the seconds to wait where it may not be made yet */
  begin(who: { readonly user: string; readonly from: string | undefined }): Attempt | number {
    const network = networkOf(who.from ?? '');
    const wanted: readonly (readonly [string, Allowance])[] = [
      [JSON.stringify([network, who.user.slice(0, 256)]), OF_USER_AND_ADDRESS],
      [network, OF_ADDRESS],
      ['', OF_ALL],
    ];
    const buckets = wanted.map(([key, allowance]) => ({ bucket: this.#bucket(key, allowance), ...allowance }));
    const waitMs = Math.max(...buckets.map(({ bucket, everyMs }) => (1 - bucket.left) * everyMs));
    if (waitMs > 0) return Math.ceil(waitMs / 1_000);
    for (const { bucket } of buckets) bucket.left -= 1;
    return { forget: () => buckets.forEach(({ bucket, burst }) => (bucket.left = Math.min(burst, bucket.left + 1))) };
  }

  #bucket(key: string, { burst, everyMs }: Allowance): Bucket {
    const now = this.#now();
    const known = this.#buckets.get(key) ?? { left: burst, at: now };
    known.left = Math.min(burst, known.left + (now - known.at) / everyMs);
    known.at = now;
    this.#buckets.delete(key); // the oldest are at the beginning
    this.#buckets.set(key, known);
    if (this.#buckets.size > REMEMBERED) this.#buckets.delete(this.#buckets.keys().next().value ?? '');
    return known;
  }
}

/** An address, or of IPv6 the first half: the rest everybody chooses by themselves. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIPv4(plain) || !isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...last];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
