/** Docker's stream types (Engine API, `POST /containers/{id}/attach`, stream format). */
const STREAM_NUMBER = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** Data of a container without a terminal: 8 bytes of head (stream, 0, 0, 0, big-endian size), then the data. */
export function frameOf(stream: 'stdout' | 'stderr', data: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head[0] = STREAM_NUMBER[stream];
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, data]);
}
