import { z } from 'zod';
import type { Package } from './software.ts';

const LicenseSchema = z.union([z.string(), z.object({ type: z.string() }).transform(({ type }) => type)]);

/** package.json, as far as it is of use; what is of another form than npm's documentation says is left out. */
const ManifestSchema = z.object({
  name: z.string().min(1),
  version: z.string().min(1),
  license: LicenseSchema.optional().catch(undefined),
  licenses: z.array(LicenseSchema).optional().catch(undefined),
  description: z.string().optional().catch(undefined),
  homepage: z.string().optional().catch(undefined),
});

/** Undefined for what is no package: a folder's `{"type": "module"}`, say. */
export function readPackageJson(text: string, place: string): Package | undefined {
  const { success, data } = ManifestSchema.safeParse(parseJson(text));
  if (!success) return undefined;
  const { license, licenses = [], description, homepage, version } = data;
  const slash = data.name.startsWith('@') ? data.name.indexOf('/') : -1;
  const told = license ?? (licenses.length === 0 ? undefined : licenses.join(' OR '));
  return {
    ecosystem: 'npm',
    ...(slash < 0 ? {} : { namespace: data.name.slice(0, slash) }),
    name: data.name.slice(slash + 1),
    version,
    ...(told === undefined ? {} : { license: told }),
    ...(description === undefined ? {} : { description }),
    ...(homepage === undefined ? {} : { homepage }),
    places: [place],
  };
}

const LockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional().catch(undefined), integrity: z.string().optional().catch(undefined) }),
  ),
});

export interface LockedPackage {
  readonly version: string | undefined;
  readonly integrity: string;
}

/**
 * What a package-lock.json (version 2 or 3) says of packages, by the place of their package.json.
 * @param directory the folder of the project, empty or with a slash at its end
 */
export function readPackageLock(text: string, directory: string): ReadonlyMap<string, LockedPackage> {
  const { success, data } = LockSchema.safeParse(parseJson(text));
  const entries = Object.entries(success ? data.packages : {});
  return new Map(
    entries.flatMap(([path, { version, integrity }]) =>
      path === '' || integrity === undefined ? [] : [[`${directory}${path}/package.json`, { version, integrity }]],
    ),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
