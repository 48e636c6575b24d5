import { z } from 'zod';
import type { Api } from './api.ts';

const CertificateSchema = z.object({
  service: z.string().optional().describe('`<project>/<service>`; absent: none serves'),
  hosts: z.array(z.string()).readonly().describe('Empty: every host that has no other'),
  source: z.enum(['file', 'acme']),
  issuer: z.string().optional(),
  fingerprint: z.string().optional().describe('SHA-1'),
  notAfter: z.iso.datetime().optional(),
  renewal: z.iso.datetime().optional().describe('When one is requested next'),
  failures: z.number().describe('Requests in vain since the last one that was not'),
  lastError: z.string().optional(),
});

/** One line of `bascule certificates`. */
export type CertificateView = z.infer<typeof CertificateSchema>;

/** As the daemon knows it. */
export type KnownCertificate = Omit<CertificateView, 'notAfter' | 'renewal'> & {
  readonly notAfter?: Date;
  readonly renewal?: Date;
};

export function certificateRoutes(api: Api, options: { certificates(): readonly KnownCertificate[] }): void {
  api.get(
    '/v1/certificates',
    {
      schema: {
        summary: 'Certificates that serve, and those that an authority has not given yet; never their keys',
        tags: ['certificates'],
        response: { 200: z.array(CertificateSchema) },
      },
    },
    () =>
      options.certificates().map(({ notAfter, renewal, ...view }) => ({
        ...view,
        ...(notAfter === undefined ? {} : { notAfter: notAfter.toISOString() }),
        ...(renewal === undefined ? {} : { renewal: renewal.toISOString() }),
      })),
  );
}
