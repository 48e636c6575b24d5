import { messageOf, systemCodeOf, UserError } from '../../../lib/errors.ts';
import { unreachableRegistry } from './errors.ts';

const BROKEN_OFF = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'EAI_AGAIN',
  'ENETRESET',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
/** OpenSSL met something that is no TLS. */
const NO_TLS = /^(?:EPROTO|ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST))$/;
const CERTIFICATE = /CERT|UNABLE_TO_|HOSTNAME_MISMATCH/;
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'its name cannot be resolved at the moment',
  ECONNRESET: 'the connection broke off',
  EPIPE: 'the connection broke off',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
};

/** Whether trying again may help: the connection broke, nobody refused anything. */
export function isPassing(error: unknown): boolean {
  if (error instanceof UserError) return error.code === 'registry-refused' && isPassingStatus(error.details['status']);
  const code = systemCodeOf(error) ?? '';
  return BROKEN_OFF.has(code) || code.startsWith('HPE_');
}

export function isPassingStatus(status: unknown): boolean {
  return typeof status === 'number' && [408, 425, 429, 500, 502, 503, 504].includes(status);
}

export function isReset(error: unknown): boolean {
  return systemCodeOf(error) === 'ECONNRESET';
}

export function isSilence(error: unknown): boolean {
  return systemCodeOf(error) === 'ETIMEDOUT';
}

/** Whether the other side speaks no TLS; it may be a registry without it. */
export function speaksNoTls(error: unknown): boolean {
  const code = systemCodeOf(error) ?? '';
  return NO_TLS.test(code) || code === 'ECONNRESET';
}

/** What was thrown on the way to a registry, in words for people; bugs and what is in such words stay. */
export function explained(registry: string, error: unknown): unknown {
  const code = systemCodeOf(error);
  if (error instanceof UserError || code === undefined || code === 'ABORT_ERR') return error;
  if (NO_TLS.test(code)) {
    const fix = `If it serves without TLS on purpose, list it: \`bascule daemon config set registry.insecure ${registry}\`.`;
    return unreachableRegistry(registry, { reason: 'it does not speak TLS', fix, cause: error });
  }
  if (CERTIFICATE.test(code)) {
    const fix = `Put the certificate of its authority into /etc/docker/certs.d/${registry}/ca.crt.`;
    return unreachableRegistry(registry, { reason: `its certificate is not trusted (${code})`, fix, cause: error });
  }
  return unreachableRegistry(registry, { reason: REASONS[code] ?? messageOf(error), cause: error });
}
