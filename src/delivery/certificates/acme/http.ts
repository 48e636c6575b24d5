import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { rootCertificates } from 'node:tls';
import { VERSION } from '../../../lib/version.ts';

export interface AcmeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface AcmeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly body?: string;
  /** Certificates of a private authority, PEM, trusted besides the usual ones. */
  readonly authority?: string | undefined;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 30_000;
const MOST_BYTES = 1024 * 1024;

/** One exchange with an ACME server, always by TLS (RFC 8555, 6.1). */
export function exchange({ method, url, body, authority, signal }: AcmeRequest): Promise<AcmeResponse> {
  return new Promise((resolve, reject) => {
    const headers = {
      'user-agent': `bascule/${VERSION}`,
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }),
    };
    const ca = authority === undefined ? {} : { ca: [...rootCertificates, authority] };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const outgoing = request(url, { method, headers, signal: limit, agent: false, ...ca }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) response.destroy(new Error('the answer does not end'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
