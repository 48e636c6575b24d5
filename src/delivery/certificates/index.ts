export {
  type AcmeSettings,
  type AcmeState,
  type AcmeWish,
  type Certificates,
  openCertificates,
  type PlacedCertificate,
  type PreparedPair,
} from './certificates.ts';
export { certificateChecks } from './checks.ts';
export { covers, type PairSource, parsePair } from './pair.ts';
export { certificateViews } from './views.ts';
export { selfSigned } from './x509.ts';
