import { UserError } from '../../lib/errors.ts';

const TIME = /^(\d{4})-?(\d\d)-?(\d\d)(?:[T ]?(\d\d):?(\d\d):?(\d\d)Z?)?$/;

/** `20261101`, `20261101T143000Z`, `2026-11-01`, `2026-11-01T14:30:00Z`; in UTC. @throws UserError `snapshot-invalid` */
export function parseSnapshotTime(text: string): Date {
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00'] = TIME.exec(text) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = new Date(iso);
  if (Number.isNaN(at.getTime()) || at.toISOString() !== iso) throw invalid(text);
  return at;
}

function invalid(text: string): UserError {
  return new UserError({
    code: 'snapshot-invalid',
    kind: 'invalid',
    message: `"${text}" is no time of a snapshot`,
    fix: 'Write it as 20261101, 2026-11-01 or 20261101T143000Z (UTC).',
  });
}
