import { readFileSync } from 'node:fs';
import { UserError } from '../../lib/errors.ts';

/** What Node says of a connection that did not come about. */
interface ConnectionFailure {
  readonly code?: string;
  readonly hostname?: string;
  readonly address?: string;
  readonly port?: number;
}

/**
 * A registry that cannot be reached, as dockerd says it: what reads its clients' output looks for these words
 * (`no such host`, `connection refused`), and for the status 500.
 */
export function unreachableInDockersWords(error: unknown, reference: string): unknown {
  if (!(error instanceof UserError) || error.code !== 'registry-unreachable') return error;
  const cause = (error.cause ?? {}) as ConnectionFailure;
  const reason = reasonOf(cause);
  if (reason === undefined) return error;
  const { code, fix, details } = error;
  const host = hostOf(reference);
  const message = `Get "${schemeOf(host)}://${host}/v2/": ${reason}`;
  return new UserError({ code, kind: 'failed', message, fix, details, cause: error });
}

function reasonOf({ code, hostname, address, port }: ConnectionFailure): string | undefined {
  const peer = `dial tcp ${address}:${port}`;
  switch (code) {
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostname ?? ''} on ${nameServer()}:53: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostname ?? ''} on ${nameServer()}:53: server misbehaving`;
    case 'ECONNREFUSED':
      return `${peer}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `${peer}: connect: no route to host`;
    case 'ENETUNREACH':
      return `${peer}: connect: network is unreachable`;
    default:
      return undefined;
  }
}

/** Docker Hub answers under another name than it is called by. */
function hostOf(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  const isHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  return isHost && first !== 'docker.io' ? first : 'registry-1.docker.io';
}

/** What is on this machine is tried without TLS at last. */
function schemeOf(host: string): 'http' | 'https' {
  return /^(?:127\.|localhost(?::|$)|\[::1\])/.test(host) ? 'http' : 'https';
}

function nameServer(): string {
  try {
    return /^\s*nameserver\s+(\S+)/m.exec(readFileSync('/etc/resolv.conf', 'utf8'))?.[1] ?? '127.0.0.1';
  } catch {
    return '127.0.0.1';
  }
}
