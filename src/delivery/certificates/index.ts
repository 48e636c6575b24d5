export { type CertificatePair, checkPair, covers, type PairSource, parsePair, readPair } from './pair.ts';
export { newKey, pemOfKey, selfSigned, signingRequest } from './x509.ts';
