import { shortId } from '../../lib/id.ts';

/** What names are made of, for one attachment to a network. */
export interface NamedEndpoint {
  readonly sandboxId: string;
  readonly name: string;
  readonly hostname: string;
  readonly aliases: readonly string[];
  readonly address: string;
}

/** A hostname label or several with dots; underscores are common in Compose. */
const NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;

/** As Docker announces a container on a user-defined network: name (it is the answer to PTR), aliases, short id, hostname. */
export function namesOf(endpoint: NamedEndpoint): readonly string[] {
  const names = [endpoint.name, ...endpoint.aliases, shortId(endpoint.sandboxId), endpoint.hostname];
  return [...new Set(names.filter((name) => name.length <= 253 && NAME.test(name)))];
}

/** The hosts file of a network: several containers with one alias give several addresses. */
export function renderNetworkHosts(endpoints: readonly NamedEndpoint[]): string {
  return endpoints
    .filter((endpoint) => namesOf(endpoint).length > 0)
    .map((endpoint) => `${endpoint.address} ${namesOf(endpoint).join(' ')}\n`)
    .join('');
}

/**
 * Names with dots that must not be asked for outside: without this an AAAA query for `db.internal` would be forwarded.
 * Names below them are the outside's all the same.
 */
export function renderLocalNames(endpoints: readonly NamedEndpoint[]): string {
  const dotted = new Set(endpoints.flatMap(namesOf).filter((name) => name.includes('.')));
  return [...dotted].map((name) => `server=/${name}/\nserver=/*.${name}/#\n`).join('');
}

export interface ResolvConf {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export function renderResolvConf(conf: ResolvConf): string {
  return [
    ...conf.servers.map((server) => `nameserver ${server}`),
    ...(conf.search.length === 0 ? [] : [`search ${conf.search.join(' ')}`]),
    ...(conf.options.length === 0 ? [] : [`options ${conf.options.join(' ')}`]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** What resolv.conf(5) says; of several `search` lines the last counts. */
export function parseResolvConf(text: string): ResolvConf {
  const words = text.split('\n').map((line) => line.trim().split(/\s+/));
  const of = (keyword: string): readonly (readonly string[])[] =>
    words.filter(([first]) => first === keyword).map(([, ...rest]) => rest);
  return {
    servers: of('nameserver').flatMap(([server]) => (server === undefined ? [] : [server])),
    search: [...of('search'), ...of('domain')].at(-1)?.filter((name) => name !== '.') ?? [],
    options: of('options').flat(),
  };
}

/** A container's /etc/hosts as Docker writes it. */
export function renderContainerHosts(o: {
  readonly extra: readonly { readonly name: string; readonly address: string }[];
  readonly addresses: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
}): string {
  const names = o.domainname === '' ? o.hostname : `${o.hostname}.${o.domainname} ${o.hostname}`;
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...o.extra.map(({ name, address }) => `${address}\t${name}`),
    ...o.addresses.map((address) => `${address}\t${names}`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}
