/** Error codes of the OCI Distribution Specification 1.1, "Error Codes"; each with the status that goes with it. */
const CODES = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, message: 'provided digest did not match uploaded content' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, message: 'manifest references a manifest or blob unknown to registry' },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  SIZE_INVALID: { status: 400, message: 'provided length did not match content length' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },
} as const;

export type ErrorCode = keyof typeof CODES;

export interface ErrorEntry {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: unknown;
}

interface Refusal {
  /** Where the table's own does not fit, e.g. 416. */
  readonly status?: number;
  readonly message?: string;
  readonly detail?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer of the registry that is no success; its body is the specification's. */
export class RegistryError extends Error {
  readonly status: number;
  readonly entries: readonly ErrorEntry[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(entries: readonly ErrorEntry[], o: { status: number; headers?: Readonly<Record<string, string>> }) {
    super(entries.map(({ code, message }) => `${code}: ${message}`).join('; '));
    this.name = 'RegistryError';
    this.status = o.status;
    this.entries = entries;
    this.headers = o.headers ?? {};
  }
}

/** One error of the table. */
export function refusal(code: ErrorCode, o: Refusal = {}): RegistryError {
  return new RegistryError([entryOf(code, o)], {
    status: o.status ?? CODES[code].status,
    ...(o.headers === undefined ? {} : { headers: o.headers }),
  });
}

/** One error for each thing that is missing. */
export function refusals(code: ErrorCode, details: readonly unknown[]): RegistryError {
  return new RegistryError(
    details.map((detail) => entryOf(code, { detail })),
    { status: CODES[code].status },
  );
}

function entryOf(code: ErrorCode, { message, detail }: Refusal): ErrorEntry {
  return { code, message: message ?? CODES[code].message, ...(detail === undefined ? {} : { detail }) };
}
