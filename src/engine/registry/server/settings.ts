import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { UserError } from '../../../lib/errors.ts';
import { readTextIfThere } from '../../../lib/files.ts';
import type { Authentication } from './auth/access.ts';
import { ACTIONS, ANONYMOUS, type Action, type RightsRule } from './auth/rights.ts';
import type { ListenAddress, RegistryServerSettings, StorageSettings, TlsFiles } from './face.ts';

/** `registry` of the daemon's configuration file, defaults filled in. */
export interface RegistryConfiguration {
  readonly listen?: string | undefined;
  readonly authentication?: 'none' | 'basic' | 'token' | undefined;
  readonly users?: string | undefined;
  readonly anonymous?: 'none' | 'pull' | 'full' | undefined;
  readonly rights: readonly RightsRule[];
  readonly token: {
    readonly realm?: string | undefined;
    readonly issuer?: string | undefined;
    readonly key?: string | undefined;
    readonly service: string;
  };
  readonly tls: { readonly certificate?: string | undefined; readonly key?: string | undefined };
  readonly read_only: boolean;
  readonly storage: 'file-system' | 's3';
  readonly s3: {
    readonly endpoint?: string | undefined;
    readonly region: string;
    readonly bucket?: string | undefined;
    readonly prefix: string;
    readonly access_key?: string | undefined;
    readonly secret_key_file?: string | undefined;
  };
  readonly share_engine: boolean;
  readonly metrics?: string | undefined;
  readonly max_blob_bytes: number;
  readonly max_connections: number;
  readonly idle_seconds: number;
  readonly upload_hours: number;
  readonly grace_minutes: number;
  readonly garbage_collection_hours: number;
}

/** The registry's folder below a root. */
export function registryDirectory(root: string): string {
  return join(root, 'registry');
}

/** The htpasswd file of a root. */
export function usersFileOf(root: string, configuration: Pick<RegistryConfiguration, 'users'>): string {
  return configuration.users ?? join(registryDirectory(root), 'users');
}

/**
 * What the configuration means.
 * @param listen goes before the configuration's
 * @throws UserError `registry-config-invalid`
 */
export async function readSettings(
  configuration: RegistryConfiguration,
  o: { readonly root: string; readonly listen: string },
): Promise<RegistryServerSettings> {
  const listen = addressOf(o.listen);
  const authentication = authenticationOf(configuration, o.root);
  const anonymous = anonymousOf(configuration, { listen, authentication });
  return {
    listen,
    tls: tlsOf(configuration.tls),
    storage: await storageOf(configuration),
    authentication,
    rules: configuration.rights,
    anonymous,
    readOnly: configuration.read_only,
    blobLimitBytes: configuration.max_blob_bytes,
    connectionLimit: configuration.max_connections,
    idleTimeoutMs: configuration.idle_seconds * 1_000,
    uploadExpiryMs: configuration.upload_hours * 3_600_000,
    graceMs: configuration.grace_minutes * 60_000,
    collectEveryMs: everyMsOf(configuration),
    metricsListen: configuration.metrics === undefined ? undefined : addressOf(configuration.metrics),
  };
}

/** A timer of Node takes no more milliseconds than fit into 31 bits: about 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What only gives is not changed. */
function everyMsOf({
  garbage_collection_hours: hours,
  read_only: isReadOnly,
}: RegistryConfiguration): number | undefined {
  return hours === 0 || isReadOnly ? undefined : Math.min(hours * 3_600_000, LONGEST_TIMER_MS);
}

function authenticationOf(configuration: RegistryConfiguration, root: string): Authentication {
  const { token } = configuration;
  const usersFile = usersFileOf(root, configuration);
  const kind = configuration.authentication ?? (token.realm !== undefined || existsSync(usersFile) ? 'token' : 'none');
  if (kind === 'none') return { kind };
  if (kind === 'token' && token.realm !== undefined) {
    const { realm, issuer, key, service } = token;
    if (issuer === undefined || key === undefined)
      throw invalid(
        'registry.token.realm needs issuer and key, too',
        'Set registry.token.issuer and registry.token.key.',
      );
    return { kind: 'foreign-token', realm, issuer, service, keyFile: key };
  }
  if (!existsSync(usersFile))
    throw invalid(`there are no users: ${usersFile} is not there`, 'Add one: `bascule registry user add NAME`.');
  if (kind === 'basic') return { kind, usersFile };
  const keyFile = join(registryDirectory(root), 'token-key.pem');
  return { kind: 'token', usersFile, keyFile, service: token.service };
}

/** Nobody's registry is open to a network by accident. */
function anonymousOf(
  { anonymous, rights }: RegistryConfiguration,
  o: { readonly listen: ListenAddress; readonly authentication: Authentication },
): readonly Action[] {
  const isOpen = o.authentication.kind === 'none';
  const isMine = isOpen && isLoopback(o.listen.host) && rights.length === 0;
  const chosen = anonymous ?? (isMine ? 'full' : 'none');
  if (isOpen && chosen === 'none' && !rights.some(({ user }) => user === ANONYMOUS))
    throw invalid(
      `the registry would listen on ${o.listen.host}, and nobody has a password`,
      'Add users (`bascule registry user add NAME`), or say that everybody may: registry.anonymous pull or full.',
    );
  return chosen === 'full' ? ACTIONS : chosen === 'pull' ? ['pull'] : [];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function tlsOf({ certificate, key }: RegistryConfiguration['tls']): TlsFiles | undefined {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw invalid('registry.tls needs both certificate and key', 'Set registry.tls.certificate and registry.tls.key.');
  return { certificateFile: certificate, keyFile: key };
}

async function storageOf({ storage, s3 }: RegistryConfiguration): Promise<StorageSettings> {
  if (storage === 'file-system') return { kind: storage };
  const { endpoint, region, bucket, prefix, access_key: accessKey, secret_key_file: secretFile } = s3;
  if (endpoint === undefined || bucket === undefined || accessKey === undefined || secretFile === undefined)
    throw invalid(
      'registry.storage s3 needs its address, bucket and keys',
      'Set registry.s3.endpoint, bucket, access_key and secret_key_file.',
    );
  const secretKey = (await readTextIfThere(secretFile))?.trim();
  if (secretKey === undefined || secretKey === '')
    throw invalid(`registry.s3.secret_key_file: ${secretFile} holds nothing`, 'Write the secret key into it.');
  return { kind: 's3', endpoint, region, bucket, prefix, accessKey, secretKey };
}

/** `HOST:PORT`. @throws UserError `registry-config-invalid` */
function addressOf(text: string): ListenAddress {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw invalid(`"${text}" is no address`, 'Write HOST:PORT, e.g. 127.0.0.1:5000.');
  return { host: match[1] ?? match[2] ?? '', port };
}

function invalid(message: string, fix: string): UserError {
  return new UserError({ code: 'registry-config-invalid', kind: 'invalid', message, fix });
}
