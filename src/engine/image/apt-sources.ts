import type { Distribution } from './bootstrap-catalog.ts';

/** Where the host gets its packages, as far as a new root of the same distribution needs it. */
export interface AptMirrors {
  readonly archive: string;
  /** Absent where the host has no security updates of its own. */
  readonly security?: string;
  /** A snapshot: its indexes have expired long ago. */
  readonly isOutdated?: boolean;
}

/** Areas of the archive. */
export const COMPONENTS: Readonly<Record<Distribution, string>> = {
  debian: 'main',
  ubuntu: 'main restricted universe multiverse',
};

export interface Host {
  /** `ID` and `VERSION_CODENAME` of /etc/os-release. */
  readonly distribution: string;
  readonly codename: string;
  /** Contents of /etc/apt/sources.list and of /etc/apt/sources.list.d/*.{list,sources}. */
  readonly sources: readonly string[];
}

interface AptSource {
  readonly uri: string;
  readonly suite: string;
}

/** The host's own mirrors where the distribution is the same; otherwise mmdebstrap knows the public ones. */
export function chooseMirrors(distribution: Distribution, host: Host): AptMirrors | undefined {
  if (host.distribution !== distribution) return undefined;
  const sources = host.sources.flatMap(parseAptSources);
  const archive = sources.find((source) => source.suite === host.codename)?.uri;
  const security = sources.find((source) => source.suite === `${host.codename}-security`)?.uri;
  if (archive === undefined) return undefined;
  return { archive, ...(security === undefined ? {} : { security }) };
}

/** The sources.list of a new root. */
export function renderSources(distribution: Distribution, suite: string, mirrors: AptMirrors): string {
  const components = COMPONENTS[distribution];
  const deb = mirrors.isOutdated === true ? 'deb [check-valid-until=no]' : 'deb';
  return [
    `${deb} ${mirrors.archive} ${suite} ${components}`,
    `${deb} ${mirrors.archive} ${suite}-updates ${components}`,
    ...(mirrors.security === undefined ? [] : [`${deb} ${mirrors.security} ${suite}-security ${components}`]),
    '',
  ].join('\n');
}

/** Binary package sources of a file in either format of sources.list(5). */
export function parseAptSources(text: string): readonly AptSource[] {
  return /^(?:Types|URIs|Suites)\s*:/im.test(text) ? parseDeb822(text) : parseOneLine(text);
}

function parseOneLine(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line);
    return match === null ? [] : [{ uri: match[1]!, suite: match[2]! }];
  });
}

function parseDeb822(text: string): readonly AptSource[] {
  const withoutComments = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const isOn = fieldOf(stanza, 'Enabled')[0] !== 'no' && fieldOf(stanza, 'Types').includes('deb');
    const uris = isOn ? fieldOf(stanza, 'URIs') : [];
    return uris.flatMap((uri) => fieldOf(stanza, 'Suites').map((suite) => ({ uri, suite })));
  });
}

function fieldOf(stanza: string, name: string): readonly string[] {
  const match = new RegExp(`^${name}[ \\t]*:((?:.*\\n[ \\t]+.*)*.*)`, 'im').exec(stanza);
  return match?.[1]?.split(/\s+/).filter((word) => word !== '') ?? [];
}

/** `KEY=value` lines of /etc/os-release. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\n').flatMap((line) => {
    const match = /^([A-Z_]+)="?([^"]*)"?$/.exec(line.trim());
    return match === null ? [] : [[match[1]!, match[2]!] as const];
  });
  return new Map(pairs);
}
