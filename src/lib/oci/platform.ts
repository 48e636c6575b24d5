/** OCI Image Specification, Image Index: `platform`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' };

/** The platform of this machine in Go's names, e.g. `{ os: 'linux', architecture: 'amd64' }`. */
export function platformOfNode(architecture: string): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[architecture] ?? architecture };
}
