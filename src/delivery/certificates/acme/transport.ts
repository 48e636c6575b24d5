import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent } from 'node:https';
import { rootCertificates } from 'node:tls';
import { axios } from 'acme-client';
import { messageOf, UserError } from '../../../lib/errors.ts';
import { VERSION } from '../../../lib/version.ts';

/** What holds for all requests of one order. */
export interface Transport {
  /** Address of the authority's directory, for messages. */
  readonly directory: string;
  /** Certificates of a private authority, PEM, trusted besides the usual ones. */
  readonly authority?: string | undefined;
  readonly signal: AbortSignal;
}

const REQUEST_MS = 30_000;
const MOST_BYTES = 1024 * 1024;

const current = new AsyncLocalStorage<Transport & { readonly agent: Agent }>();

/**
 * Does what speaks to an authority: its requests end with the signal and after a time, and trust the authority.
 * @throws UserError `acme-unreachable`
 */
export async function withTransport<T>(transport: Transport, work: () => Promise<T>): Promise<T> {
  const { authority } = transport;
  const ca = authority === undefined ? {} : { ca: [...rootCertificates, authority] };
  const agent = new Agent(ca);
  try {
    return await current.run({ ...transport, agent }, work);
  } finally {
    agent.destroy();
  }
}

/**
 * acme-client has one axios for all its clients: what a request needs comes from the order that it belongs to. Its own
 * interceptors go: their retries wait for up to 75 seconds, whatever the signal says, and hide why there was no answer.
 */
axios.interceptors.request.clear();
axios.interceptors.response.clear();
axios.interceptors.request.use((request) => {
  const { agent, signal } = transportNow();
  request.headers.set('User-Agent', `bascule/${VERSION}`);
  return {
    ...request,
    httpsAgent: agent,
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
    maxContentLength: MOST_BYTES,
    maxRedirects: 0,
    proxy: false,
  };
});

axios.interceptors.response.use(undefined, (cause: unknown) => {
  const { directory, signal } = transportNow();
  signal.throwIfAborted();
  throw unreachable(directory, cause);
});

function transportNow(): Transport & { readonly agent: Agent } {
  const found = current.getStore();
  if (found === undefined) throw new Error('a request to an ACME server outside of an order');
  return found;
}

/** It was asked and there is no answer that says anything. */
export function unreachable(directory: string, cause: unknown): UserError {
  return new UserError({
    code: 'acme-unreachable',
    kind: 'unavailable',
    message: `the ACME server ${directory} does not answer: ${messageOf(cause)}`,
    fix: 'Look at acme.directory and acme.root_certificate of the configuration, and at the network. It is tried again by itself.',
    cause,
  });
}
