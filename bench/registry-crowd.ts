import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { OCI_MANIFEST, pushImage } from '../test/support/registry.ts';

/** Clients at the same moment, each with a connection of its own. */
export const PULLS = 1_000;
const HEAD_END = '\r\n\r\n';

/** A small image, and the requests by which a client pulls it. */
export interface SmallImage {
  readonly port: number;
  readonly requests: readonly Buffer[];
}

/** Manifest, configuration, and two layers of 1 kB. */
export async function pushSmall(host: string): Promise<SmallImage> {
  const image = await pushImage(`http://${host}`, 'bench/small', { reference: 'v1' });
  const paths = ['manifests/v1', `blobs/${image.config}`, `blobs/${image.layer}`, `blobs/${image.layer}`];
  const requests = paths.map((path) => {
    const lines = [`GET /v2/bench/small/${path} HTTP/1.1`, `Host: ${host}`, `Accept: ${OCI_MANIFEST}`];
    return Buffer.from(lines.join('\r\n') + HEAD_END);
  });
  return { port: Number(host.split(':')[1]), requests };
}

/** Milliseconds until all have pulled. The client does little more than count bytes: it shares the processors. */
export async function pullMany(image: SmallImage): Promise<number> {
  const started = performance.now();
  await Promise.all(Array.from({ length: PULLS }, () => pull(image)));
  return performance.now() - started;
}

async function pull({ port, requests }: SmallImage): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  for (const request of requests) {
    const whole = answerOn(socket);
    socket.write(request);
    await whole;
  }
  socket.destroy();
}

/** Reads one answer with a length. @throws Error where its status is not 200 */
function answerOn(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let text = '';
  const take = (data: Buffer): void => {
    text += data.toString('latin1');
    const headBytes = text.indexOf(HEAD_END);
    if (headBytes < 0) return;
    const head = text.slice(0, headBytes);
    if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(head));
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    if (text.length < headBytes + HEAD_END.length + length) return;
    socket.off('data', take);
    socket.off('close', closed);
    resolve();
  };
  const closed = (): void => reject(new Error('the registry closed the connection'));
  socket.on('data', take);
  socket.once('close', closed);
  socket.once('error', reject);
  return promise;
}
