import type { Package } from './software.ts';
import { parseStanzas, type Stanza } from './stanzas.ts';

/** os-release(5). */
export interface Distribution {
  /** E.g. `debian`. */
  readonly id: string;
  /** E.g. `12`; absent in unstable ones. */
  readonly version?: string;
}

/** The installed packages of dpkg's database (`/var/lib/dpkg/status`, or one file of `status.d/`). */
export function readDpkgStatus(
  text: string,
  { distribution, place }: { readonly distribution: Distribution; readonly place: string },
): readonly Package[] {
  return parseStanzas(text)
    .filter(isInstalled)
    .map((stanza) => packageOf(stanza, distribution, place));
}

/** Distroless images have files without `Status`: all that is there is installed. */
function isInstalled(stanza: Stanza): boolean {
  const status = stanza.get('status');
  return stanza.has('package') && stanza.has('version') && (status === undefined || status.endsWith(' installed'));
}

function packageOf(stanza: Stanza, { id, version }: Distribution, place: string): Package {
  const text = (name: string): string | undefined => stanza.get(name) || undefined;
  const architecture = text('architecture');
  const source = text('source')?.replace(/ \(.*/, '');
  const description = text('description')?.split('\n')[0];
  const supplier = text('maintainer');
  const homepage = text('homepage');
  return {
    ecosystem: 'deb',
    namespace: id,
    name: text('package') ?? '',
    version: text('version') ?? '',
    qualifiers: {
      ...(architecture === undefined ? {} : { arch: architecture }),
      ...(version === undefined ? {} : { distro: `${id}-${version}` }),
      ...(source === undefined ? {} : { upstream: source }),
    },
    ...(description === undefined ? {} : { description }),
    ...(supplier === undefined ? {} : { supplier }),
    ...(homepage === undefined ? {} : { homepage }),
    places: [place],
  };
}

const ASSIGNMENT = /^([A-Z_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\n]*))$/gm;

/** @param text of os-release(5); Debian where it is missing or says nothing */
export function readOsRelease(text: string): Distribution {
  const values = new Map([...text.matchAll(ASSIGNMENT)].map(([, name = '', a, b, c]) => [name, a ?? b ?? c ?? '']));
  const version = values.get('VERSION_ID') || undefined;
  return { id: values.get('ID') || 'debian', ...(version === undefined ? {} : { version }) };
}
