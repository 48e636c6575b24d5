import { type CertificateStore, installedOf } from './certificate-store.ts';
import type { Hands } from './hands.ts';
import { assertCertificate, assertChallenge } from './names.ts';
import type { Traffic } from './traffic.ts';

type CertificateChanges = Pick<Traffic, 'certificates' | 'installCertificate' | 'removeCertificate' | 'setChallenge'>;

export function certificateChanges(
  { record, proxy, inTurn, applyProxy }: Hands,
  certificates: CertificateStore,
): CertificateChanges {
  const apply = (): Promise<void> => applyProxy(() => proxy.applyCertificates(record.read()));
  return {
    certificates: () => installedOf(certificates.all()),
    installCertificate: (certificate) =>
      inTurn(async () => {
        assertCertificate(certificate);
        await certificates.put(certificate);
        await apply();
      }),
    removeCertificate: (name) =>
      inTurn(async () => {
        await certificates.remove(name);
        await apply();
      }),
    setChallenge: (token, answer) =>
      inTurn(async () => {
        assertChallenge(token, answer);
        await applyProxy(() => proxy.setChallenge(token, answer));
      }),
  };
}
