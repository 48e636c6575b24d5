import type { TrafficKeys } from '../keys.ts';

/** Holds a client's bucket, 0 to 9,999, while a route has two sides. */
const BUCKET_COOKIE = 'bascule-bucket';
/** For clients that keep no cookies: the same, as a request header. */
const BUCKET_HEADER = 'Bascule-Bucket';

/** Of the bucket that is known; the first half is more than anybody can guess. */
function signatureOf({ bucketKey }: TrafficKeys): string {
  return `var(txn.bucket),concat(.),hmac(sha256,${bucketKey}),bytes(0,16),hex`;
}

/**
 * bucket < weight goes to the candidate: whoever is there stays there while the weight grows. A cookie counts when we
 * have signed it; a header chooses its side, and its sender is therefore no fair sample of clients.
 */
export function renderWeightedChoice(keys: TrafficKeys): readonly string[] {
  const weighted = '{ var(txn.weight) -m int 1:9999 }';
  const said = '{ var(txn.said) -m reg ^[0-9]{1,4}$ }';
  const kept = '{ var(txn.kept) -m reg ^[0-9]{1,4}[.][0-9A-F]{32}$ }';
  const signed = '{ var(txn.kept),field(2,.),secure_memcmp(txn.signature) -m bool }';
  const none = '!{ var(txn.bucket) -m found }';
  return [
    'http-request set-var(txn.lane) var(txn.share),field(2,|) if { var(txn.weight) -m int ge 10000 }',
    // Looked at after they were taken: of several, a test of the request would accept any.
    `http-request set-var(txn.said) req.hdr(${BUCKET_HEADER}) if ${weighted}`,
    `http-request set-var(txn.bucket) var(txn.said),add(0) if ${said}`,
    `http-request set-var(txn.by) str(client) if ${said} !{ var(txn.by) -m found }`,
    `http-request set-var(txn.kept) req.cook(${BUCKET_COOKIE}) if ${weighted} ${none}`,
    `http-request set-var(txn.bucket) var(txn.kept),field(1,.),add(0) if ${kept}`,
    `http-request set-var(txn.signature) ${signatureOf(keys)} if ${kept}`,
    `http-request unset-var(txn.bucket) if ${kept} !${signed}`,
    `http-request set-var(txn.is_new) int(1) if ${weighted} ${none}`,
    `http-request set-var(txn.bucket) rand(10000) if ${weighted} ${none}`,
    `http-request set-var(txn.distance) var(txn.bucket),sub(txn.weight) if ${weighted}`,
    `http-request set-var(txn.lane) var(txn.share),field(2,|) if ${weighted} { var(txn.distance) -m int lt 0 }`,
  ];
}

/** Not on responses that a shared cache may keep: one client's bucket would become everybody's. */
export function renderBucketCookie(keys: TrafficKeys): readonly string[] {
  const value = `"${BUCKET_COOKIE}=%[var(txn.bucket)].%[${signatureOf(keys)}]; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"`;
  const isNew = '{ var(txn.is_new) -m found }';
  const isShared = '{ res.hdr(Cache-Control) -m sub -i public s-maxage }';
  return [`http-response add-header Set-Cookie ${value} if ${isNew} !${isShared}`];
}
