import { PackageURL } from 'packageurl-js';
import type { Package } from './software.ts';

/** As https://github.com/package-url/purl-spec has it. */
export function packageUrl({ ecosystem, namespace, name, version, qualifiers }: Package): string {
  return new PackageURL(ecosystem, namespace, name, version, qualifiers, undefined).toString();
}

/** Of the image itself (purl-spec, type oci). */
export function imageUrl({ name, id }: { readonly name: string; readonly id: string }): string {
  const [last = 'image'] = name.slice(name.lastIndexOf('/') + 1).split(/[:@]/);
  return new PackageURL('oci', undefined, last, id, undefined, undefined).toString();
}

/** A UUID (RFC 9562, version 8) that follows from the image: equal images have equal documents. */
export function uuidOf(id: string): string {
  const digits = id.replace('sha256:', '').padEnd(32, '0');
  const variant = ((Number.parseInt(digits[16] ?? '0', 16) & 3) | 8).toString(16);
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join('-');
}
