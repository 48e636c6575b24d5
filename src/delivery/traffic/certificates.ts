import { type CertificateStore, installedOf, issuersOf } from './certificate-store.ts';
import type { Hands } from './hands.ts';
import { assertCertificate, assertChallenge } from './names.ts';
import type { Certificate, Traffic } from './traffic.ts';

type CertificateChanges = Pick<
  Traffic,
  'certificates' | 'certificateIssuers' | 'installCertificate' | 'removeCertificate' | 'setChallenge'
>;

export function certificateChanges(
  { record, proxy, inTurn, applyProxy }: Hands,
  certificates: CertificateStore,
): CertificateChanges {
  const apply = (): Promise<void> => applyProxy(() => proxy.applyCertificates(record.read().certificates));

  /** One that the proxy refuses must not be written down: the proxy would not start with it. */
  const tryOut = async (certificate: Certificate): Promise<void> => {
    try {
      await applyProxy(() => proxy.applyCertificates(certificates.allWith(certificate)));
    } catch (error) {
      await apply();
      throw error;
    }
  };

  return {
    certificates: () => installedOf(certificates.all()),
    certificateIssuers: () => issuersOf(certificates.all()),
    installCertificate: (certificate) =>
      inTurn(async () => {
        assertCertificate(certificate);
        await tryOut(certificate);
        await certificates.put(certificate);
        // Nothing is left to do, unless the proxy died meanwhile.
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
