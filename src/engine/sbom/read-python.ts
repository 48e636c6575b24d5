import type { Package } from './software.ts';
import { parseStanzas } from './stanzas.ts';

/** Core metadata of an installed distribution: `*.dist-info/METADATA`, `*.egg-info/PKG-INFO` (PEP 566, 643, 639). */
export function readPythonMetadata(text: string, place: string): Package | undefined {
  const [head] = parseStanzas(text);
  const field = (name: string): string | undefined => {
    const value = head?.get(name);
    return value === undefined || value === '' || value === 'UNKNOWN' ? undefined : value;
  };
  const name = field('name');
  const version = field('version');
  if (name === undefined || version === undefined) return undefined;
  const license = field('license-expression') ?? field('license')?.split('\n')[0];
  const description = field('summary');
  const homepage = field('home-page');
  return {
    ecosystem: 'pypi',
    name,
    version,
    ...(license === undefined ? {} : { license }),
    ...(description === undefined ? {} : { description }),
    ...(homepage === undefined ? {} : { homepage }),
    places: [place],
  };
}
