import { type Distribution, readDpkgStatus, readOsRelease } from './read-debian.ts';
import { type LockedPackage, readPackageJson, readPackageLock } from './read-npm.ts';
import { readPythonMetadata } from './read-python.ts';
import type { Package } from './software.ts';

const OS_RELEASE = ['etc/os-release', 'usr/lib/os-release'];
const DPKG = /^var\/lib\/dpkg\/status(?:\.d\/[^/]+)?$/;
const NPM = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/;
const NPM_LOCK = /^(.*\/|)(?:node_modules\/\.)?package-lock\.json$/;
const PYTHON = /\.(?:dist-info\/METADATA|egg-info\/PKG-INFO|egg-info)$/;

/** Whether the file at this path of an image tells of packages. */
export function isDatabase(path: string): boolean {
  return OS_RELEASE.includes(path) || [DPKG, NPM, NPM_LOCK, PYTHON].some((pattern) => pattern.test(path));
}

/** @param texts of the files that tell of packages, by path in the image */
export function packagesOf(texts: ReadonlyMap<string, string>): readonly Package[] {
  const release = OS_RELEASE.map((path) => texts.get(path)).find((text) => text !== undefined);
  const distribution = readOsRelease(release ?? '');
  const locked = new Map([...texts].flatMap(([path, text]) => lockedBy(path, text)));
  const packages = [...texts].flatMap(([path, text]) => read(path, text, distribution));
  return merged(
    packages.map((each) => {
      const known = locked.get(each.places[0] ?? '');
      return known === undefined || known.version !== each.version ? each : { ...each, integrity: known.integrity };
    }),
  );
}

function lockedBy(path: string, text: string): readonly (readonly [string, LockedPackage])[] {
  const directory = NPM_LOCK.exec(path)?.[1];
  return directory === undefined ? [] : [...readPackageLock(text, directory)];
}

function read(path: string, text: string, distribution: Distribution): readonly Package[] {
  if (DPKG.test(path)) return readDpkgStatus(text, { distribution, place: path });
  const found = NPM.test(path) ? readPackageJson(text, path) : undefined;
  const other = PYTHON.test(path) ? readPythonMetadata(text, path) : undefined;
  return [found, other].filter((each) => each !== undefined);
}

/** One that is at several places is listed once. */
function merged(packages: readonly Package[]): readonly Package[] {
  const byName = new Map<string, Package>();
  for (const each of packages) {
    const { ecosystem, namespace = '', name, version, qualifiers = {} } = each;
    const key = [ecosystem, namespace, name, version, qualifiers['arch'] ?? ''].join(' ');
    const known = byName.get(key);
    const places = [...(known?.places ?? []), ...each.places].toSorted();
    byName.set(key, { ...each, ...known, places }); // of two the one may tell what the other does not
  }
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
