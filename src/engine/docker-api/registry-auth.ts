import { registryNameOf, type RegistryLogin } from '../../lib/docker-config/index.ts';
import type { Credential } from '../registry/index.ts';
import { invalidParameter } from './http-errors.ts';

/** Who the client is at the registry: the header `X-Registry-Auth`, JSON in base64url (Docker Engine API, "Authentication"). */
export function credentialIn(header: string | string[] | undefined): Credential | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || text === '') return undefined;
  return credentialOf(textsOf(decoded(text, 'X-Registry-Auth')));
}

/** Of many registries: the header `X-Registry-Config` of builds, JSON in base64url. */
export function credentialsIn(header: string | string[] | undefined): (registry: string) => Credential | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || text === '') return () => undefined;
  return credentialsFor({ ...decoded(text, 'X-Registry-Config') });
}

/** @param logins by registry, as clients know it */
export function credentialsFor(
  logins: Readonly<Record<string, unknown>>,
): (registry: string) => Credential | undefined {
  return (registry) => {
    const found = Object.entries(logins).find(([name]) => registryNameOf(name) === registry)?.[1];
    return typeof found === 'object' && found !== null ? credentialOf(textsOf(found)) : undefined;
  };
}

/** undefined for one that says nothing, as clients without a login send it. */
export function credentialOf(login: RegistryLogin): Credential | undefined {
  const { username, password, identitytoken, registrytoken } = login;
  if (registrytoken) return { kind: 'registry-token', token: registrytoken };
  if (identitytoken) return { kind: 'identity-token', token: identitytoken };
  return username ? { kind: 'password', username, password: password ?? '' } : undefined;
}

function decoded(text: string, name: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString() || '{}');
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // said below
  }
  throw invalidParameter(`the header ${name} is not JSON in base64url`);
}

/** Only what is text: it goes into headers. */
export function textsOf(value: object): RegistryLogin {
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string' && text !== ''));
}
