import { type AcmeWish, type Certificates, covers, type PlacedCertificate } from '../../certificates/index.ts';
import type { Service, TlsSettings } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import type { InstalledCertificate, TrafficState } from '../../traffic/index.ts';
import type { Journal } from '../execute/journal.ts';
import type { PlannedPort } from './plan.ts';
import type { CertificateNeeds } from './certificate-needs.ts';

export interface CertificateQuestion {
  readonly target: Release;
  readonly state: Pick<TrafficState, 'certificates' | 'publishedPorts'>;
  readonly ports: readonly PlannedPort[];
  /** What is installed is newer than what this release came with: files are read only where there is nothing. */
  readonly keepInstalled: boolean;
}

/**
 * Reads and checks the certificates that a release declares, before anything is changed.
 * @throws UserError `certificate-…`, `acme-not-configured`
 */
export async function certificateNeeds(certificates: Certificates, o: CertificateQuestion): Promise<CertificateNeeds> {
  const { target, state } = o;
  const wishes = Object.entries(target.model.services).flatMap(([service, model]) => {
    const { tls } = model.settings;
    return tls === undefined ? [] : [wishOf(target.project, { service, model, tls, state })];
  });
  const names = new Set(wishes.map(({ name }) => name));
  const answers = await Promise.all(wishes.map((wish) => answer(certificates, wish, o)));
  const remove = state.certificates
    .map(({ name }) => name)
    .filter((name) => isOf(target.project, name) && !names.has(name));
  return {
    install: answers.flatMap((each) => each.install ?? []),
    obtain: answers.flatMap((each) => each.obtain ?? []),
    remove,
    warnings: answers.flatMap((each) => each.warnings ?? []),
  };
}

function isOf(project: string, name: string): boolean {
  return name.startsWith(`${project}/`);
}

/** Certificates of a project that are installed, by name. */
export function certificatesOf(
  project: string,
  { certificates }: Pick<TrafficState, 'certificates'>,
): readonly string[] {
  return certificates.map(({ name }) => name).filter((name) => isOf(project, name));
}

interface Wish {
  readonly name: string;
  readonly where: string;
  readonly tls: TlsSettings;
  readonly host: string | undefined;
  readonly installed: InstalledCertificate | undefined;
}

function wishOf(
  project: string,
  o: { service: string; model: Service; tls: TlsSettings; state: Pick<TrafficState, 'certificates'> },
): Wish {
  const name = `${project}/${o.service}`;
  return {
    name,
    where: `services.${o.service}.x-bascule.tls`,
    tls: o.tls,
    host: o.model.settings.route?.host?.toLowerCase(),
    installed: o.state.certificates.find((each) => each.name === name),
  };
}

interface Answer {
  readonly install?: PlacedCertificate;
  readonly obtain?: AcmeWish;
  readonly warnings?: readonly string[];
}

function answer(certificates: Certificates, wish: Wish, o: CertificateQuestion): Promise<Answer> {
  return wish.tls.acme === true
    ? Promise.resolve(answerByAuthority(certificates, wish, o))
    : answerByFiles(certificates, wish, o);
}

async function answerByFiles(certificates: Certificates, wish: Wish, o: CertificateQuestion): Promise<Answer> {
  const { host, installed, tls, where } = wish;
  if (o.keepInstalled && installed !== undefined && fits(installed, host)) return {};
  const source = { where, certificateFile: tls.certificate ?? '', keyFile: tls.key ?? '' };
  const { fingerprint, names, notAfter, warning } = await certificates.prepareOwn(source, host);
  const placed = {
    ...{ name: wish.name, fingerprint, notAfterMs: notAfter.getTime() },
    ...(host === undefined ? { hosts: names, isDefault: true } : { hosts: [host], isDefault: false }),
  };
  return {
    ...(isInstalled(placed, installed) ? {} : { install: placed }),
    ...(warning === undefined ? {} : { warnings: [warning] }),
  };
}

function answerByAuthority(certificates: Certificates, wish: Wish, o: CertificateQuestion): Answer {
  const { host = '', name, where, installed } = wish;
  if (!o.keepInstalled) certificates.requireAcme(where);
  const known = certificates.known(host);
  if (known === undefined) return { obtain: { name, host }, warnings: announcements(wish, o) };
  const { fingerprint, notAfter } = known;
  const placed = { name, hosts: [host], fingerprint, isDefault: false, notAfterMs: notAfter.getTime() };
  return isInstalled(placed, installed) ? {} : { install: placed };
}

const CHALLENGE_PORT = 80;

function announcements({ where, host = '' }: Wish, { ports, state }: CertificateQuestion): readonly string[] {
  const isPublished = [...ports, ...state.publishedPorts].some(
    ({ port, protocol }) => port === CHALLENGE_PORT && protocol === 'http',
  );
  const unreachable = `${where}: an authority looks at port ${CHALLENGE_PORT} of ${host}, and nobody publishes it here.`;
  return [
    `${where}: there is no certificate for ${host} yet. It is requested behind the switch; until it comes, clients get one that they do not trust.`,
    ...(isPublished ? [] : [unreachable]),
  ];
}

function fits({ hosts, notAfterMs }: InstalledCertificate, host: string | undefined): boolean {
  return notAfterMs > Date.now() && (host === undefined || covers({ names: hosts }, host));
}

function isInstalled(wanted: PlacedCertificate, installed: InstalledCertificate | undefined): boolean {
  return (
    installed !== undefined &&
    installed.fingerprint === wanted.fingerprint &&
    installed.isDefault === wanted.isDefault &&
    installed.hosts.join(' ') === wanted.hosts.join(' ')
  );
}

/** Hosts of the releases that serve for which an authority is to give certificates. */
export function acmeWishes(o: {
  readonly journal: Pick<Journal, 'standing' | 'standingProjects'>;
  readonly releases: { find(project: string, number: number): Release | undefined };
}): readonly AcmeWish[] {
  return o.journal.standingProjects().flatMap((project) => {
    const { current } = o.journal.standing(project);
    const release = current === undefined ? undefined : o.releases.find(project, current.release);
    return Object.entries(release?.model.services ?? {}).flatMap(([service, { settings }]) => {
      const host = settings.route?.host?.toLowerCase();
      return settings.tls?.acme === true && host !== undefined ? [{ name: `${project}/${service}`, host }] : [];
    });
  });
}
