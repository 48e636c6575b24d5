/** A package that an image has. */
export interface Package {
  readonly ecosystem: 'deb' | 'npm' | 'pypi';
  /** Of the package URL: the distribution, or the scope with its `@`. */
  readonly namespace?: string;
  readonly name: string;
  readonly version: string;
  /** Of the package URL (purl-spec, types deb, npm and pypi). */
  readonly qualifiers?: Readonly<Record<string, string>>;
  /** As the package tells it; mostly an SPDX expression. */
  readonly license?: string;
  readonly description?: string;
  readonly supplier?: string;
  readonly homepage?: string;
  /** Of the archive that it was installed from: Subresource Integrity, e.g. `sha512-…`. */
  readonly integrity?: string;
  /** Where it was found, in the image. */
  readonly places: readonly string[];
}

/** What a bill of materials is about. */
export interface Subject {
  /** The image's id. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date | undefined;
}
