import { COMPONENTS } from './apt-sources.ts';
import type { Distribution } from './bootstrap-catalog.ts';

export interface MmdebstrapRequest {
  readonly distribution: Distribution;
  readonly suite: string;
  readonly isSlim: boolean;
  /** Go's name, e.g. `amd64`. */
  readonly architecture: string;
  /** An empty folder. */
  readonly target: string;
  readonly keyring: string;
  /** A file in the format of sources.list; without one mmdebstrap takes the distribution's public mirrors. */
  readonly sourcesFile: string | undefined;
}

const KEYRINGS: Readonly<Record<Distribution, string>> = {
  debian: '/usr/share/keyrings/debian-archive-keyring.gpg',
  ubuntu: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
};
const DEBIAN_ARCHITECTURES: Readonly<Record<string, string>> = { '386': 'i386', arm: 'armhf', ppc64le: 'ppc64el' };
/** As the `-slim` images of Docker's library leave out. */
const SLIM_EXCLUDES = ['doc', 'info', 'linda', 'lintian', 'locale', 'man'];

export function keyringOf(distribution: Distribution): string {
  return KEYRINGS[distribution];
}

/**
 * In a process and mount namespace of its own that ends with the daemon: whatever happens, no process and no mount
 * of it stays.
 */
const CONTAINED = [
  'setpriv',
  '--pdeathsig=KILL',
  'unshare',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child=SIGKILL',
  '--mount-proc',
] as const;

/** Makes a root of essential packages and apt. */
export function mmdebstrapArgv(request: MmdebstrapRequest): [string, ...string[]] {
  const excludes = request.isSlim ? SLIM_EXCLUDES.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`) : [];
  const copyrights = request.isSlim ? ['--dpkgopt=path-include=/usr/share/doc/*/copyright'] : [];
  return [
    ...CONTAINED,
    'mmdebstrap',
    '--variant=minbase',
    '--mode=root',
    '--format=directory',
    `--architectures=${DEBIAN_ARCHITECTURES[request.architecture] ?? request.architecture}`,
    `--keyring=${request.keyring}`,
    `--components=${COMPONENTS[request.distribution].replaceAll(' ', ',')}`,
    '--aptopt=Acquire::Languages "none"',
    ...excludes,
    ...copyrights,
    request.suite,
    request.target,
    ...(request.sourcesFile === undefined ? [] : [request.sourcesFile]),
  ];
}
