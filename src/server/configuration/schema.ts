import { z } from 'zod';
import { EMBEDDED, ENGINE_PATTERN } from './engine-address.ts';
import { registrySchema } from './registry-schema.ts';

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

const acmeSchema = z.strictObject({
  email: z
    .string()
    .regex(/^[^\s@]+@[^\s@]+$/, 'that is no address')
    .optional()
    .describe(
      'Whom the authority may write to. Setting it is agreeing to the terms of the authority; without it no certificates are requested. Takes effect when the daemon starts.',
    ),
  directory: z
    .string()
    .regex(/^https:\/\/\S+$/, 'that is no address that begins with https://')
    .default(LETS_ENCRYPT)
    .describe("The authority that gives certificates: its ACME directory. Default: Let's Encrypt."),
  root_certificate: z
    .string()
    .startsWith('/', 'that is no absolute path')
    .optional()
    .describe('File with the root certificate of a private authority, PEM, to trust its server.'),
});

/** `<root>/config.yaml`. One schema: it validates, fills in defaults, and the reference in docs/cli.md is made of it. */
export const configurationSchema = z.strictObject({
  engine: z
    .string()
    .regex(ENGINE_PATTERN, "that is not an engine's socket")
    .default(EMBEDDED)
    .describe(
      'The engine that delivery drives: `embedded`, or the socket of a Docker Engine API, e.g. `unix:///var/run/docker.sock`. Takes effect when the daemon starts.',
    ),
  acme: acmeSchema.prefault({}).describe('Certificates by ACME, for services with `tls: {acme: true}`.'),
  registry: registrySchema
    .prefault({})
    .describe('Registries that are spoken to, and one in the daemon; see docs/registry.md.'),
});

/** What the daemon is told by its configuration file, with defaults filled in. */
export type Configuration = z.output<typeof configurationSchema>;
