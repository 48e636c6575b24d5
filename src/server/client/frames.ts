import { Transform, type TransformCallback } from 'node:stream';

/**
 * The frames of an exec session after the upgrade, both ways:
 * one byte of kind, four bytes of length (big endian), the payload.
 */
export const FRAME_KINDS = ['start', 'stdin', 'stdin-end', 'resize', 'stdout', 'stderr', 'exit', 'error'] as const;

export type FrameKind = (typeof FRAME_KINDS)[number];

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

const HEADER_BYTES = 5;
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

export function encodeFrame(kind: FrameKind, payload: Uint8Array | string = ''): Buffer {
  const data = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FRAME_KINDS.indexOf(kind), 0);
  header.writeUInt32BE(data.length, 1);
  return Buffer.concat([header, data]);
}

/** Cuts a byte stream into frames. Fails on an unknown kind or a payload of more than 16 MiB. */
export function frameDecoder(): Transform {
  let rest: Buffer = Buffer.alloc(0);
  return new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      try {
        const cut = cutFrames(Buffer.concat([rest, chunk]));
        rest = cut.rest;
        for (const frame of cut.frames) this.push(frame);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

function cutFrames(bytes: Buffer): { frames: readonly Frame[]; rest: Buffer } {
  const frames: Frame[] = [];
  let offset = 0;
  while (bytes.length - offset >= HEADER_BYTES) {
    const kind = FRAME_KINDS[bytes.readUInt8(offset)];
    const length = bytes.readUInt32BE(offset + 1);
    if (kind === undefined || length > MAX_PAYLOAD_BYTES) throw new Error('not a frame of an exec session');
    const end = offset + HEADER_BYTES + length;
    if (bytes.length < end) break;
    frames.push({ kind, payload: bytes.subarray(offset + HEADER_BYTES, end) });
    offset = end;
  }
  return { frames, rest: bytes.subarray(offset) };
}
