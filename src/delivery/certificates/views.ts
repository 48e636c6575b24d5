import type { AcmeState, PlacedCertificate } from './certificates.ts';

/** A certificate as people are shown it: one that is installed, or one that an authority has not given yet. */
export interface CertificateView {
  /** `<project>/<service>`; absent: none serves. */
  readonly service?: string;
  /** Nothing: every host that has no other. */
  readonly hosts: readonly string[];
  readonly source: 'file' | 'acme';
  readonly issuer?: string;
  /** SHA-1, capital hexadecimal digits. */
  readonly fingerprint?: string;
  readonly notAfter?: Date;
  /** When one is requested next, of those by ACME. */
  readonly renewal?: Date;
  /** Requests in vain since the last one that was not. */
  readonly failures: number;
  readonly lastError?: string;
}

/** By service; those that are missing at the end. */
export function certificateViews(o: {
  readonly installed: readonly PlacedCertificate[];
  /** By fingerprint. */
  readonly issuers: ReadonlyMap<string, string>;
  readonly states: readonly AcmeState[];
}): readonly CertificateView[] {
  const placed = o.installed.map(({ name, hosts, fingerprint, notAfterMs }): CertificateView => {
    const ours = o.states.find((state) => state.fingerprint === fingerprint);
    const issuer = o.issuers.get(fingerprint);
    return {
      ...{ service: name, hosts, fingerprint, notAfter: new Date(notAfterMs), ...acmeViewOf(ours) },
      ...(issuer === undefined ? {} : { issuer }),
    };
  });
  const known = new Set(o.installed.flatMap(({ hosts }) => hosts));
  const missing = o.states.filter(({ host, failures }) => failures > 0 && !known.has(host));
  return [...placed, ...missing.map((state) => ({ hosts: [state.host], ...acmeViewOf(state) }))];
}

function acmeViewOf(
  state: AcmeState | undefined,
): Pick<CertificateView, 'source' | 'failures' | 'renewal' | 'lastError'> {
  if (state === undefined) return { source: 'file', failures: 0 };
  const { failures, next: renewal, reason } = state;
  return { source: 'acme', failures, renewal, ...(reason === undefined ? {} : { lastError: reason }) };
}
