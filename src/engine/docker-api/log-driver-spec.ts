import type { LogDriver } from '../runtime/index.ts';
import type { HostConfig } from './create-request.ts';
import { invalidParameter, unsupported } from './http-errors.ts';

type LogType = LogDriver['type'];

/** Of the driver `local` (Docker's documentation, Local file logging driver). */
const LOCAL_SIZE_BYTES = 20_000_000;
const LOCAL_FILES = 5;
const COMMON = ['max-size', 'max-file', 'compress', 'mode', 'max-buffer-size'];
const KNOWN: Readonly<Record<Exclude<LogType, 'none'>, readonly string[]>> = {
  'json-file': [...COMMON, 'labels', 'labels-regex', 'env', 'env-regex', 'tag'],
  local: COMMON,
};

/**
 * Values are checked at once, where dockerd does so with the first start. With `none` options mean nothing.
 * @throws UserError `invalid-parameter`, `unsupported`
 */
export function logDriverOf(hostConfig: HostConfig): LogDriver {
  const type = typeOf(hostConfig.LogConfig?.Type || 'json-file');
  if (type === 'none') return { type };
  const options = hostConfig.LogConfig?.Config ?? {};
  for (const [name, value] of Object.entries(options)) checkOption(type, name, value);
  if (options['mode'] !== 'non-blocking' && options['max-buffer-size'] !== undefined) {
    throw invalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  const maxSizeBytes = sizeOf(options['max-size']) ?? (type === 'local' ? LOCAL_SIZE_BYTES : undefined);
  const maxFiles = filesOf(options['max-file']) ?? (type === 'local' ? LOCAL_FILES : 1);
  if (maxSizeBytes === undefined && maxFiles > 1) {
    throw invalidParameter('max-file cannot be used without max-size', 'Give the log option max-size, too.');
  }
  return { type, ...(maxSizeBytes === undefined ? {} : { maxSizeBytes, maxFiles }) };
}

function typeOf(type: string): LogType {
  if (type === 'json-file' || type === 'local' || type === 'none') return type;
  throw invalidParameter(
    `error looking up logging plugin ${type}: plugin "${type}" not found`,
    'Use json-file, local or none: the drivers that are here.',
  );
}

function checkOption(type: Exclude<LogType, 'none'>, name: string, value: string): void {
  if (!KNOWN[type].includes(name)) {
    const where = type === 'json-file' ? 'for json-file log driver' : 'for log driver local';
    throw invalidParameter(`unknown log opt '${name}' ${where}`, `Known: ${KNOWN[type].join(', ')}.`);
  }
  if (name === 'mode' && value !== 'blocking' && value !== 'non-blocking') {
    throw invalidParameter(`logger: logging mode not supported: ${value}`, 'One of blocking, non-blocking.');
  }
  if (name === 'compress' && type === 'json-file' && value !== 'false') {
    throw unsupported(`the log option compress=${value} (HostConfig.LogConfig.Config)`, 'Leave it out.');
  }
  if (name.endsWith('-regex') || (name === 'tag' && value.includes('{{'))) {
    throw unsupported(`the log option ${name}=${value} (HostConfig.LogConfig.Config)`);
  }
}

/** Decimal, as Docker reads it: `10k` is 10,000. -1: no limit. */
function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '-1') return undefined;
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)b?$/i.exec(text);
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match?.[2] ?? '').toLowerCase());
  const size = Math.floor(Number(match?.[1]) * 1_000 ** power);
  if (match !== null && size > 0) return size;
  throw invalidParameter(
    `invalid size: '${text}' (log option max-size)`,
    'Write it as 10m, 500k or a number of bytes.',
  );
}

function filesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text) && Number(text) >= 1) return Number(text);
  throw invalidParameter('max-file cannot be less than 1', 'Give the log option max-file a number from 1.');
}
