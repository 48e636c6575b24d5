import { z } from 'zod';
import { parseComposeDuration } from './units.ts';

/** A duration as Compose writes it, read as milliseconds. */
const durationText = z
  .string({ error: 'must be a duration such as 30s or 10m' })
  .refine((text) => parseComposeDuration(text) !== undefined, { error: 'must be a duration such as 30s or 10m' });
const milliseconds = (text: string): number => parseComposeDuration(text) ?? 0;

/** With a default. */
export function duration(description: string, byDefault: string) {
  return durationText.default(byDefault).transform(milliseconds).meta({ title: 'duration', description });
}

export function optionalDuration(description: string) {
  return durationText.transform(milliseconds).optional().meta({ title: 'duration', description });
}

export const port = z.int().min(1).max(65_535);

/** An address or a network, such as `10.0.0.0/8`. */
export const addressRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);

/** `5%`, `0.5%` or a number of percent; read as basis points, 0 to 10,000. */
export const share = z
  .union([z.string().regex(/^\d+(\.\d{1,2})?\s?%$/, { error: 'must be a percentage such as 5%' }), z.number()], {
    error: 'must be a percentage such as 5%',
  })
  .transform((value) => Math.round((typeof value === 'number' ? value : Number.parseFloat(value)) * 100))
  .refine((points) => points >= 0 && points <= 10_000, { error: 'must be between 0% and 100%' })
  .meta({ title: 'percentage' });

/** `5%` or a number of percent; read as a fraction, 0 to 1. */
export const fraction = share.transform((points) => points / 10_000).meta({ title: 'percentage' });

/** A number of instances, or a percentage of them. */
export const amount = z
  .union([z.int().min(0), z.string().regex(/^\d{1,3}%$/, { error: 'must be a number or a percentage' })], {
    error: 'must be a number of instances, or a percentage such as 25%',
  })
  .meta({ title: 'number or percentage' });

/** A size as Compose writes it: `10m`, `512k`, or bytes; read as bytes. */
export const size = z
  .union(
    [z.int().min(0), z.string().regex(/^\d+(\.\d+)?\s?([kmgt]i?)?b?$/i, { error: 'must be a size such as 10m' })],
    {
      error: 'must be a size such as 10m',
    },
  )
  .transform((value) => (typeof value === 'number' ? value : bytesOf(value)))
  .meta({ title: 'size' });

const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

function bytesOf(text: string): number {
  const [, amountText = '0', unit = ''] = /^([\d.]+)\s?([kmgt]?)/i.exec(text) ?? [];
  return Math.round(Number(amountText) * (FACTORS[unit.toLowerCase()] ?? 1));
}

/** Program and arguments; one string is split at spaces. */
export const command = z
  .union([z.string().min(1), z.array(z.string()).min(1)])
  .transform((value) => (typeof value === 'string' ? value.trim().split(/\s+/) : value))
  .meta({ title: 'program and arguments' });

/** As the proxy takes them: names and values stand in its maps. */
export const hostName = z
  .string()
  .max(254)
  .regex(/^(?:\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?)$/i, {
    error: 'must be a host name such as www.example.org, or *.example.org',
  });

export const pathPrefix = z
  .string()
  .max(1_024)
  .regex(/^\/(?:[A-Za-z0-9._~!$&'()*+,=:@%-]+(?:\/[A-Za-z0-9._~!$&'()*+,=:@%-]+)*)?\/*$/, {
    error: 'must be a path such as /api',
  });

/** Names of headers and cookies (RFC 9110, 5.6.2). */
export const token = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'must be a name of letters, digits and "-"' });

/** What may stand in one header line. */
export const headerValue = z
  .string()
  .max(4_096)
  .regex(/^[\t -~\u0080-\u{10ffff}]*$/u, { error: 'must be one line of text' });
