import type { AptMirrors } from './apt-sources.ts';
import type { Distribution } from './bootstrap-catalog.ts';

/** The archive of a distribution as it was at a moment. */
export interface Snapshot {
  /** Whole seconds. */
  readonly at: Date;
  /** Instead of the distribution's own server, e.g. `http://snapshots.example.org`. */
  readonly mirror?: string;
}

/** Servers that keep every state of the archive, without TLS: the new root has no certificates yet, and apt verifies signatures. */
const SERVERS: Readonly<Record<Distribution, string>> = {
  debian: 'http://snapshot.debian.org',
  ubuntu: 'http://snapshot.ubuntu.com',
};

/** https://snapshot.debian.org, https://snapshot.ubuntu.com: a time may be any; the state before it is given. */
export function snapshotMirrors(distribution: Distribution, { at, mirror }: Snapshot): AptMirrors {
  const base = (mirror ?? SERVERS[distribution]).replace(/\/+$/, '');
  const time = `${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  switch (distribution) {
    case 'debian':
      return { archive: `${base}/archive/debian/${time}`, security: `${base}/archive/debian-security/${time}` };
    case 'ubuntu':
      return { archive: `${base}/ubuntu/${time}`, security: `${base}/ubuntu/${time}` };
  }
}
