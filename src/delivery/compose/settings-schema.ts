import { z } from 'zod';
import { analysisSettings, canarySettings, job, preview, rollingSettings } from './settings-rollout.ts';
import { duration, hostName, pathPrefix, port, size } from './settings-values.ts';

/** `x-bascule` at the top level. One schema: it validates, fills in defaults, and the reference is made of it. */
export const projectSettingsSchema = z.strictObject({
  keep: duration('How long the previous release stays warm after a switch, ready for rollback.', '10m'),
  drain: duration('Deadline for connections of the previous release that are still open after a switch.', '30s'),
  health_timeout: duration('How long a new instance may take to become healthy.', '60s'),
  strategy: z
    .enum(['blue-green', 'rolling', 'canary'])
    .default('blue-green')
    .describe('How traffic passes to a new release.'),
  rolling: rollingSettings,
  canary: canarySettings,
  analysis: analysisSettings,
  preview,
  confirm: z
    .boolean()
    .default(false)
    .describe('Blue-green: wait for `bascule rollout promote` before the switch, the new release under its preview.'),
  jobs: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9_-]*$/), job)
    .default({})
    .describe('One-off containers of a rollout.'),
  rollback_window: z.int().min(0).default(3).describe('How many previous releases stay available for rollback.'),
  read_only: z
    .boolean()
    .optional()
    .describe('Read-only root file system for services that do not say `read_only` themselves.'),
});

/** `x-bascule` of a service. */
export const serviceSettingsSchema = z.strictObject({
  stateful: z
    .boolean()
    .optional()
    .describe('Whether instances are carried over to the next release. Default: true with a writable volume.'),
  route: z
    .strictObject({
      host: hostName
        .optional()
        .describe('Only requests for this host name; `*.example.org` for each name just below it.'),
      path: pathPrefix.optional().describe('Only requests below this path.'),
    })
    .optional()
    .describe('Which requests on the published ports reach this service.'),
  protocol: z
    .enum(['http', 'tcp'])
    .optional()
    .describe('How published ports are carried, where `app_protocol` does not say it.'),
  tls: z
    .strictObject({
      certificate: z
        .string()
        .min(1)
        .optional()
        .describe('File of the certificate chain, PEM, beside the Compose file.'),
      key: z.string().min(1).optional().describe('File of its private key, PEM.'),
      acme: z.boolean().optional().describe('Get a certificate for `route.host` by ACME.'),
      ports: z.array(port).optional().describe('Published ports that speak TLS. Default: 443 and 8443.'),
      redirect: z.boolean().default(true).describe('Requests on the other published ports are sent to https.'),
    })
    .optional()
    .describe('TLS on published ports.'),
  access_log: z.boolean().optional().describe('Write one line for each request.'),
  max_body: size
    .refine((bytes) => bytes > 0, { error: 'must be more than 0' })
    .optional()
    .describe('Largest request body; larger ones are answered 413. Default: no limit.'),
  probe: z
    .strictObject({
      get: z.string().startsWith('/').default('/').describe('Path of GET requests on a kept-alive connection.'),
      post: z.string().startsWith('/').optional().describe('Path that takes a POST whose body arrives slowly.'),
      sse: z.string().startsWith('/').optional().describe('Path of an event stream.'),
      websocket: z.string().startsWith('/').optional().describe('Path of a WebSocket that echoes or pings.'),
      enabled: z.boolean().default(true).describe('Probe the front door while a rollout runs.'),
    })
    .optional()
    .describe('What the built-in probes ask during a rollout.'),
  smoke: z
    .strictObject({
      path: z.string().startsWith('/').default('/').describe('Path of the request.'),
      port: port.optional().describe('Container port. Default: the first published or exposed one.'),
      status: z.int().min(100).max(599).default(200).describe('Status that the answer must have.'),
      timeout: duration('How long the answer may take.', '5s'),
    })
    .optional()
    .describe('One request to each new instance that must succeed before traffic moves.'),
});
