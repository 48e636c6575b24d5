import { createHash } from 'node:crypto';
import { Transform, type Writable } from 'node:stream';
import type { RawConnection } from './exchange.ts';

/** RFC 6455, section 1.3: what the server adds to the client's key. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Nobody types so much at once; a terminal's input comes by few bytes. */
const LARGEST_FRAME_BYTES = 16 * 1024 * 1024;
const GOING = 0x80;

type PayloadKind = 'text' | 'binary';

/** The lines of the answer that accepts a connection, behind its status. */
export function acceptLines(key: string): readonly string[] {
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  return ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
}

/** One unfragmented frame, as servers send them: without a mask. */
function frameFor(kind: keyof typeof OPCODES, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(GOING | OPCODES[kind]), lengthOf(data.length), data]);
}

function lengthOf(size: number): Buffer {
  if (size < 126) return Buffer.of(size);
  const head = Buffer.alloc(size < 2 ** 16 ? 3 : 9);
  head[0] = size < 2 ** 16 ? 126 : 127;
  if (size < 2 ** 16) head.writeUInt16BE(size, 1);
  else head.writeBigUInt64BE(BigInt(size), 1);
  return head;
}

/** A connection that speaks WebSocket, as one of bytes. What the client sends ends with its farewell. */
export function webSocketOver(socket: RawConnection, kind: PayloadKind): RawConnection {
  const [input, output] = [unframing(socket.output), framing(kind)];
  socket.input.on('error', () => input.destroy()).pipe(input);
  input.on('error', () => socket.output.destroy());
  output.pipe(socket.output);
  return { input, output };
}

/** What goes to the client: each piece that is written becomes a frame. */
function framing(kind: PayloadKind): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, frameFor(kind, chunk)),
    flush: (done) => done(null, frameFor('close', Buffer.of(0x03, 0xe8))), // 1000: all is well
  });
}

/** What the client sends, without its frames; it ends with the frame that says so. Pings are answered by `answer`. */
function unframing(answer: Pick<Writable, 'write'>): Transform {
  let kept: Buffer = Buffer.alloc(0);
  let hasEnded = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      kept = Buffer.concat([kept, chunk]);
      for (let frame = frameIn(kept); frame !== undefined; frame = frameIn(kept)) {
        if (frame === 'bad') {
          done(new Error('not a frame of a WebSocket'));
          return;
        }
        kept = kept.subarray(frame.size);
        if (frame.opcode === OPCODES.ping) answer.write(frameFor('pong', frame.payload));
        else if (frame.opcode !== OPCODES.pong && !hasEnded) {
          hasEnded = frame.opcode === OPCODES.close;
          this.push(hasEnded ? null : frame.payload);
        }
      }
      done();
    },
  });
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  /** Of the whole frame, in bytes. */
  readonly size: number;
}

/** The first frame of what has come; undefined while it is not complete. Clients mask what they send (section 5.1). */
function frameIn(data: Buffer): Frame | 'bad' | undefined {
  if (data.length < 2) return undefined;
  const short = data[1]! & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if ((data[1]! & 0x80) === 0) return 'bad';
  if (data.length < start) return undefined;
  const length = lengthBytes === 0 ? short : lengthBytes === 2 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2));
  if (length > LARGEST_FRAME_BYTES) return 'bad';
  if (data.length < start + length) return undefined;
  const mask = data.subarray(start - 4, start);
  const payload = Buffer.from(data.subarray(start, start + length));
  for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ mask[i & 3]!;
  return { opcode: data[0]! & 0x0f, payload, size: start + length };
}
