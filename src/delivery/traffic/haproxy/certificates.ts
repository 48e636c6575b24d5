import type { Certificate } from '../traffic.ts';
import type { CommandLine } from './commands.ts';

/** What the proxy calls the file of a certificate; it lies there only while the proxy starts. */
export function certificateFileOf(runDirectory: string, name: string): string {
  return `${certificateDirectoryOf(runDirectory)}/${name.replaceAll('/', '~')}.pem`;
}

export function certificateDirectoryOf(runDirectory: string): string {
  return `${runDirectory}/certificates`;
}

/** The list as the proxy reads it when it starts (configuration guide, `crt-list`): the first one is the default. */
export function renderList(runDirectory: string, certificates: readonly Certificate[]): string {
  return certificates.map((certificate) => `${entryOf(runDirectory, certificate)}\n`).join('');
}

/** `[]` holds settings of one certificate: there are none. */
function entryOf(runDirectory: string, { name, hosts }: Certificate): string {
  return [certificateFileOf(runDirectory, name), '[]', ...hosts].join(' ');
}

/** What the running proxy holds. */
export interface LiveCertificates {
  /** By file. */
  readonly fingerprints: ReadonlyMap<string, string>;
  readonly entries: readonly ListEntry[];
  /** A change that was begun and never ended. */
  readonly pending?: string;
}

export interface ListEntry {
  readonly file: string;
  readonly line: number;
  /** Hosts, as they stand there. */
  readonly hosts: string;
}

/**
 * The commands that make the running proxy hold these certificates. A new one comes before the place that an old one
 * had is given up, so that no client in between gets the default.
 */
export function planCertificates(
  o: { readonly runDirectory: string; readonly list: string },
  wanted: readonly Certificate[],
  live: LiveCertificates,
): readonly CommandLine[] {
  const files = new Set(wanted.map(({ name }) => certificateFileOf(o.runDirectory, name)));
  const strange = [...live.fingerprints.keys()].filter((file) => !files.has(file));
  return [
    ...(live.pending === undefined ? [] : [[`abort ssl cert ${live.pending}`]]),
    ...wanted.flatMap((certificate) => installation(o, certificate, live)),
    ...strange.flatMap((file) => [...withoutEntries(o.list, entriesOf(live, file)), [`del ssl cert ${file}`]]),
  ];
}

function installation(
  { runDirectory, list }: { readonly runDirectory: string; readonly list: string },
  certificate: Certificate,
  live: LiveCertificates,
): readonly CommandLine[] {
  const file = certificateFileOf(runDirectory, certificate.name);
  const known = live.fingerprints.get(file);
  const entries = entriesOf(live, file);
  const hosts = certificate.hosts.join(' ');
  const [kept] = entries.filter((entry) => entry.hosts === hosts);
  const set = [[`set ssl cert ${file} <<\n${certificate.pem}`], [`commit ssl cert ${file}`]];
  return [
    ...(known === undefined ? [[`new ssl cert ${file}`]] : []),
    ...(known === certificate.fingerprint ? [] : set),
    ...(kept === undefined ? [[`add ssl crt-list ${list} <<\n${entryOf(runDirectory, certificate)}\n`]] : []),
    ...withoutEntries(
      list,
      entries.filter((entry) => entry !== kept),
    ),
  ];
}

function entriesOf({ entries }: LiveCertificates, file: string): readonly ListEntry[] {
  return entries.filter((entry) => entry.file === file);
}

function withoutEntries(list: string, entries: readonly ListEntry[]): readonly CommandLine[] {
  return entries.map(({ file, line }) => [`del ssl crt-list ${list} ${file}:${line}`]);
}

/** Reads `show ssl cert`. */
export function parseCertificateFiles(text: string): { readonly files: readonly string[]; readonly pending?: string } {
  const lines = text.split('\n').map((line) => line.trim());
  const pending = lines.find((line) => line.startsWith('*'))?.slice(1);
  const files = lines.filter((line) => line.startsWith('/'));
  return { files, ...(pending === undefined ? {} : { pending }) };
}

/** Reads one or several `show ssl cert <file>`; one without a certificate has an empty fingerprint. */
export function parseFingerprints(text: string): ReadonlyMap<string, string> {
  const blocks = text.split(/^Filename: /m).slice(1);
  return new Map(
    blocks.map((block) => [block.split('\n', 1)[0]!.trim(), /^SHA1 FingerPrint: ([0-9A-F]+)/m.exec(block)?.[1] ?? '']),
  );
}

/** Reads `show ssl crt-list -n <list>`: `file:line [settings] hosts`. */
export function parseList(text: string): readonly ListEntry[] {
  return text.split('\n').flatMap((line): ListEntry[] => {
    const [, file, number, hosts = ''] = /^(\/\S+):(\d+)(?: \[[^\]]*\])?(?: (.*))?$/.exec(line.trim()) ?? [];
    return file === undefined ? [] : [{ file, line: Number(number), hosts: hosts.trim() }];
  });
}
