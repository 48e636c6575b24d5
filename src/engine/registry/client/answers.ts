import type { Readable } from 'node:stream';

/** What a registry says of an error is not longer. */
const MAX_ERROR_BYTES = 64 * 1024;

/** @throws Error `EMSGSIZE` when there is more */
export async function readBounded(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) throw Object.assign(new Error(`more than ${maxBytes} bytes`), { code: 'EMSGSIZE' });
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Reads a body that nobody wants, so that its connection can be used again; a long one is cut off. */
export async function discard(body: Readable): Promise<void> {
  await readBounded(body, MAX_ERROR_BYTES).catch(() => body.destroy());
}

/** The registry's own words (OCI Distribution Specification, "Error Codes"), on one line; '' where there are none. */
export async function saidIn(body: Readable): Promise<string> {
  const text = await readBounded(body, MAX_ERROR_BYTES).then(String, () => '');
  try {
    const { errors } = JSON.parse(text) as { errors?: readonly { code?: unknown; message?: unknown }[] };
    const words = (errors ?? []).map(({ code, message }) => [code, message].filter(Boolean).join(': '));
    return words.length === 0 ? '' : `: ${printable(words.join('; '))}`;
  } catch {
    return '';
  }
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 500);
}
