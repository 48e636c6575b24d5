/**
 * `config.json` of Docker's command line, as far as registries are concerned (docker/cli, `config/configfile`); what
 * else stands in it is kept as it is.
 */
export interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  /** Program for all registries: `docker-credential-<name>`. */
  readonly credsStore?: string;
  /** Programs for some. */
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly currentContext?: string;
}

interface AuthEntry {
  /** `user:password` in base64. */
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Who somebody is at a registry, as Docker's `X-Registry-Auth` has it. */
export interface RegistryLogin {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly identitytoken?: string | undefined;
  readonly registrytoken?: string | undefined;
  readonly serveraddress?: string | undefined;
}

/** Docker Hub's name in the file. */
const HUB_KEY = 'https://index.docker.io/v1/';
const HUB_NAMES = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** The registry as references have it: `docker.io` for all names of Docker Hub. */
export function registryNameOf(text: string): string {
  const host = text.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === '' || HUB_NAMES.includes(host) ? 'docker.io' : host;
}

/** The name under which a registry stands in the file and in helpers. */
export function serverAddressOf(registry: string): string {
  const name = registryNameOf(registry);
  return name === 'docker.io' ? HUB_KEY : name;
}

/** The program that keeps the credentials of a registry; undefined where the file does. */
export function helperOf(config: DockerConfig, registry: string): string | undefined {
  const wanted = registryNameOf(registry);
  const own = Object.entries(config.credHelpers ?? {}).find(([name]) => registryNameOf(name) === wanted);
  const helper = own?.[1] ?? config.credsStore;
  return helper === undefined || helper === '' ? undefined : helper;
}

/** What the file itself has; an entry by the exact name goes before one by another form of it. */
export function loginIn({ auths = {} }: DockerConfig, registry: string): RegistryLogin | undefined {
  const wanted = registryNameOf(registry);
  const exact = auths[serverAddressOf(registry)];
  const entry = exact ?? Object.entries(auths).find(([name]) => registryNameOf(name) === wanted)?.[1];
  return entry === undefined ? undefined : loginOf(entry, serverAddressOf(registry));
}

function loginOf(entry: AuthEntry, serveraddress: string): RegistryLogin | undefined {
  const { identitytoken, registrytoken } = entry;
  const plain = Buffer.from(entry.auth ?? '', 'base64')
    .toString()
    .replace(/\0+$/, '');
  const colon = plain.indexOf(':');
  const username = entry.username || (colon < 0 ? undefined : plain.slice(0, colon));
  const password = entry.password || (colon < 0 ? undefined : plain.slice(colon + 1));
  if (!username && !identitytoken && !registrytoken) return undefined;
  return {
    serveraddress,
    ...(username && { username }),
    ...(password && { password }),
    ...(identitytoken && { identitytoken }),
    ...(registrytoken && { registrytoken }),
  };
}

/** With a login, in place of all that there is for this registry; with a helper only the fact that there is one. */
export function withLogin(config: DockerConfig, login: RegistryLogin, o: { keptByHelper: boolean }): DockerConfig {
  const { username = '', password = '', identitytoken, serveraddress = '' } = login;
  const auth = Buffer.from(`${username}:${identitytoken === undefined ? password : ''}`).toString('base64');
  const entry: AuthEntry = o.keptByHelper ? {} : { auth, ...(identitytoken && { identitytoken }) };
  const { auths } = withoutLogin(config, serveraddress);
  return { ...config, auths: { ...auths, [serverAddressOf(serveraddress)]: entry } };
}

export function withoutLogin(config: DockerConfig, registry: string): DockerConfig {
  const wanted = registryNameOf(registry);
  const rest = Object.entries(config.auths ?? {}).filter(([name]) => registryNameOf(name) !== wanted);
  return { ...config, auths: Object.fromEntries(rest) };
}

/** Names of all registries in the file. */
export function namesIn({ auths = {}, credHelpers = {} }: DockerConfig): readonly string[] {
  return [...new Set([...Object.keys(auths), ...Object.keys(credHelpers)].map(registryNameOf))];
}

export function hasEntry({ auths = {} }: DockerConfig, registry: string): boolean {
  return Object.keys(auths).some((name) => registryNameOf(name) === registryNameOf(registry));
}
