import { z } from 'zod';

const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/;
const LOOPBACK = /^(?:\[::1\]|localhost|127\.\d+\.\d+\.\d+):\d{1,5}$/;

const absolutePath = z.string().startsWith('/', 'that is no absolute path');
const address = z.string().regex(ADDRESS, 'that is no HOST:PORT');

const rule = z.strictObject({
  user: z.string().min(1).describe('A name, `*` for everybody with a password, or `anonymous`.'),
  repositories: z.string().min(1).describe('A pattern: `*` stands for anything but `/`, `**` for anything.'),
  actions: z.array(z.enum(['pull', 'push', 'delete'])).describe('What this user may do there.'),
});

const tls = z.strictObject({
  certificate: absolutePath.optional().describe('PEM file with the certificate chain. Read again when it changes.'),
  key: absolutePath.optional().describe('PEM file with the private key.'),
});

const token = z.strictObject({
  realm: z
    .string()
    .regex(/^https?:\/\/\S+$/, 'that is no address')
    .optional()
    .describe('Where clients get tokens; without it from the registry itself, at `/token`.'),
  issuer: z.string().optional().describe('With `realm`: who must have issued a token (`iss`).'),
  key: absolutePath
    .optional()
    .describe('With `realm`: public key or certificate (PEM), or keys (JWKS), to verify tokens with.'),
  service: z.string().default('bascule').describe('What tokens are for (`aud`).'),
});

const s3 = z.strictObject({
  endpoint: z
    .string()
    .regex(/^https?:\/\/\S+$/, 'that is no address')
    .optional()
    .describe('Address of the store, e.g. `https://s3.example.org`.'),
  region: z.string().default('us-east-1').describe('Region of the bucket.'),
  bucket: z.string().optional().describe('A bucket that is there.'),
  prefix: z.string().default('').describe('Begins every name in the bucket.'),
  access_key: z.string().optional().describe('Key id.'),
  secret_key_file: absolutePath.optional().describe('File with the secret key.'),
});

const mirror = z.string().regex(/^https?:\/\/[^\s/]+(?:\/\S*)?$/, 'that is no address that begins with https://');

/** `registry` of the configuration. It takes effect when the process that serves it starts. */
export const registrySchema = z.strictObject({
  mirrors: z
    .record(z.string(), z.array(mirror))
    .default({})
    .describe(
      'Addresses that are asked first for what is pulled, by registry, e.g. `{docker.io: ["https://mirror.example.org"]}`.',
    ),
  insecure: z
    .array(z.string())
    .default([])
    .describe('Registries (`HOST[:PORT]`) that may have no TLS or unknown certificates. Those on loopback always may.'),
  listen: address
    .optional()
    .describe('Where the daemon serves a registry, e.g. `127.0.0.1:5000`; without it none. See docs/registry.md.'),
  authentication: z
    .enum(['none', 'basic', 'token'])
    .optional()
    .describe('How clients say who they are. Default: `token` where there are users, else `none`.'),
  users: absolutePath.optional().describe('htpasswd file with hashes of bcrypt. Default: `ROOT/registry/users`.'),
  anonymous: z
    .enum(['none', 'pull', 'full'])
    .optional()
    .describe('What may be done without a password. Default: `full` on loopback without users, else `none`.'),
  rights: z
    .array(rule)
    .default([])
    .describe(
      'Who may do what, e.g. `[{user: ci, repositories: "team/*", actions: [pull, push]}]`. Without rules everybody with a password may do everything.',
    ),
  token: token.prefault({}).describe('Tokens.'),
  tls: tls.prefault({}).describe('Certificates.'),
  read_only: z.boolean().default(false).describe('Nothing can be pushed or deleted.'),
  storage: z.enum(['file-system', 's3']).default('file-system').describe('Where blobs are kept.'),
  s3: s3.prefault({}).describe('The store, with `storage: s3`.'),
  share_engine: z
    .boolean()
    .default(true)
    .describe("Layers of the daemon's own engine are blobs without a copy, for those who may push."),
  metrics: z
    .string()
    .regex(LOOPBACK, 'that is no HOST:PORT on loopback')
    .optional()
    .describe("Where Prometheus' metrics are, at `/metrics`; on loopback only."),
  max_blob_bytes: z.number().int().positive().default(100e9).describe('Larger blobs are refused.'),
  max_connections: z.number().int().positive().default(4_000).describe('More are closed at once.'),
  idle_seconds: z
    .number()
    .int()
    .positive()
    .default(120)
    .describe('A connection on which nothing moves for so long is closed.'),
  upload_hours: z.number().positive().default(24).describe('An upload to which nothing comes for so long is dropped.'),
  grace_minutes: z
    .number()
    .nonnegative()
    .default(60)
    .describe('What was pushed or asked for within this time is not collected.'),
  garbage_collection_hours: z
    .number()
    .nonnegative()
    .default(24)
    .describe('How often what no manifest needs is deleted; `0`: only with `bascule registry gc`.'),
});
