import type { AcmeState, PlacedCertificate } from './certificates.ts';

/** One line of `bascule doctor`. */
export interface CertificateCheck {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly fix?: string;
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** All that are installed, and those that an authority has not given yet. */
export function certificateChecks(
  installed: readonly PlacedCertificate[],
  states: readonly AcmeState[],
  now: Date,
): readonly CertificateCheck[] {
  const placed = installed.map((each) => {
    const ours = states.find(({ host }) => each.hosts.length === 1 && each.hosts[0] === host);
    return checkOf(each, ours, now);
  });
  const known = new Set(installed.flatMap(({ hosts }) => hosts));
  const missing = states.filter(({ host, failures }) => failures > 0 && !known.has(host));
  return [...placed, ...missing.map(missingCheck)];
}

function checkOf(certificate: PlacedCertificate, ours: AcmeState | undefined, now: Date): CertificateCheck {
  const { name, hosts, notAfterMs } = certificate;
  const leftMs = notAfterMs - now.getTime();
  const until = `${hosts.join(', ') || 'every host'}, until ${minuteOf(new Date(notAfterMs))}`;
  const check = { name: `certificate ${name}` };
  if (leftMs <= 0) return { ...check, state: 'failed', detail: `${until}: it has ended`, fix: fixOf(ours) };
  if (ours !== undefined && ours.failures > 0) {
    const detail = `${until}; renewal failed ${ours.failures} times: ${ours.reason ?? 'unknown'}; next try ${minuteOf(ours.next)}`;
    return { ...check, state: 'warning', detail, fix: fixOf(ours) };
  }
  if (ours !== undefined) return { ...check, state: 'ok', detail: `${until}; renewal ${minuteOf(ours.next)}` };
  if (leftMs > SOON_DAYS * DAY_MS) return { ...check, state: 'ok', detail: until };
  return { ...check, state: 'warning', detail: `${until}: it ends soon`, fix: fixOf(ours) };
}

function missingCheck({ host, failures, reason, next }: AcmeState): CertificateCheck {
  return {
    name: `certificate for ${host}`,
    state: 'failed',
    detail: `none; ${failures} times in vain: ${reason ?? 'unknown'}; next try ${minuteOf(next)}`,
    fix: ACME_FIX,
  };
}

const ACME_FIX =
  'The name must lead to this machine, and its port 80 must be published and reachable for the authority.';

function fixOf(ours: AcmeState | undefined): string {
  return ours === undefined ? 'Put a new one into the file that the Compose file names, then deploy again.' : ACME_FIX;
}

function minuteOf(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
