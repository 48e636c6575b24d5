import { Agent as HttpAgent, get as httpGet, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import { messageOf, UserError } from '../../../lib/errors.ts';

const MOST_REDIRECTS = 10;
/** Between the request and the first byte of an answer, and between two pieces of it. */
const SILENCE_MS = 60_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Variables that name proxies. */
  readonly proxies: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * GET over http or https, through a proxy where one is named; redirects are followed, and
 * credentials of the URL go to its own host only.
 * @throws UserError `url-unreachable`
 */
export async function httpFetch({ url, headers, proxies, signal }: HttpRequest): Promise<IncomingMessage> {
  const first = new URL(url);
  let at = first;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const own = at.host === first.host && at.protocol === first.protocol ? authorizationOf(first) : {};
    const response = await request(at, { headers: { ...headers, ...own }, proxies, signal });
    const { location } = response.headers;
    if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return response;
    response.resume();
    if (!URL.canParse(location, at)) throw unreachableUrl(url, `it leads to "${location}", which is no URL`);
    at = new URL(location, at);
    if (!['http:', 'https:'].includes(at.protocol)) throw unreachableUrl(url, `it leads to ${at.protocol}//`);
    if (at.protocol === 'http:' && first.protocol === 'https:')
      throw unreachableUrl(url, 'it leads from https to http');
  }
  throw unreachableUrl(url, `it leads on more than ${MOST_REDIRECTS} times`);
}

function authorizationOf({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function request(url: URL, { headers, proxies, signal }: Omit<HttpRequest, 'url'>): Promise<IncomingMessage> {
  const bare = new URL(url);
  bare.username = bare.password = '';
  const isSecure = url.protocol === 'https:';
  const proxy = { proxyEnv: proxies, keepAlive: false, timeout: SILENCE_MS };
  const options: RequestOptions = {
    headers: { 'user-agent': 'bascule-build', 'accept-encoding': 'identity', ...headers },
    agent: isSecure ? new HttpsAgent(proxy) : new HttpAgent(proxy),
    signal,
    timeout: SILENCE_MS,
  };
  return new Promise((resolve, reject) => {
    const sent = (isSecure ? httpsGet : httpGet)(bare, options, (response) => {
      response.setTimeout(SILENCE_MS, () => response.destroy(new Error('the server fell silent')));
      resolve(response);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within a minute')));
    sent.on('error', (cause) => {
      reject(signal.aborted ? (signal.reason as Error) : unreachableUrl(url.href, messageOf(cause), cause));
    });
  });
}

/** A URL as it may be shown: without user and password. */
export function shownUrl(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}

export function unreachableUrl(url: string, why: string, cause?: unknown): UserError {
  return new UserError({
    code: 'url-unreachable',
    kind: 'unavailable',
    message: `cannot fetch ${shownUrl(url)}: ${why}`,
    fix: "Check the address, and that this machine reaches it (the daemon's environment may name a proxy).",
    ...(cause === undefined ? {} : { cause }),
  });
}
