import type { Certificate } from '../traffic.ts';
import {
  type LiveCertificates,
  parseCertificateFiles,
  parseFingerprints,
  parseList,
  planCertificates,
} from './certificates.ts';
import { certificateListOf } from './render-haproxy.ts';
import type { RuntimeApi } from './runtime-api.ts';

/** Certificates of a running proxy. */
export interface ProxyCertificates {
  /** Whatever is there now. True when something had to be changed. */
  apply(wanted: readonly Certificate[]): Promise<boolean>;
}

const QUESTIONS_IN_A_LINE = 30;

export function createProxyCertificates(api: RuntimeApi, runDirectory: string): ProxyCertificates {
  const list = certificateListOf(runDirectory);

  const read = async (): Promise<LiveCertificates> => {
    const { files, pending } = parseCertificateFiles(await api.ask('show ssl cert'));
    const entries = parseList(await api.ask(`show ssl crt-list -n ${list}`));
    const fingerprints = new Map<string, string>();
    for (let start = 0; start < files.length; start += QUESTIONS_IN_A_LINE) {
      const questions = files.slice(start, start + QUESTIONS_IN_A_LINE).map((file) => `show ssl cert ${file}`);
      for (const [file, fingerprint] of parseFingerprints(await api.ask(...questions)))
        fingerprints.set(file, fingerprint);
    }
    return { fingerprints, entries, ...(pending === undefined ? {} : { pending }) };
  };

  return {
    async apply(wanted) {
      const commands = planCertificates({ runDirectory, list }, wanted, await read());
      for (const command of commands) await api.tell(command, ['absent']);
      return commands.length > 0;
    },
  };
}
