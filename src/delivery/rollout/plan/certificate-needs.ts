import type { AcmeWish, PlacedCertificate } from '../../certificates/index.ts';

/** What a release needs of certificates, besides those that are installed. */
export interface CertificateNeeds {
  readonly install: readonly PlacedCertificate[];
  /** To be requested once the ports are published: the challenge comes by them. */
  readonly obtain: readonly AcmeWish[];
  /** By name. */
  readonly remove: readonly string[];
  readonly warnings: readonly string[];
}
