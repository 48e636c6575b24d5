/** A response that arrived whole. */
export interface WholeResponse {
  readonly status: number;
  /** Lower-case names; of repeated headers the last one, except `set-cookie`, which are joined by newlines. */
  readonly headers: ReadonlyMap<string, string>;
  /** The first bytes of the body, at most 4 KiB. */
  readonly bodyStart: string;
  readonly bodyBytes: number;
  /** Whether the connection may carry another request. */
  readonly keepsAlive: boolean;
}

type Phase = 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'until-close' | 'done';

const BODY_START_BYTES = 4_096;
const MOST_HEAD_BYTES = 65_536;

/**
 * Reads one HTTP/1.1 response (RFC 9112) and knows when it is whole: it is strict, because it looks for lost bytes.
 * Throws on what is not HTTP.
 */
export class ResponseReader {
  private phase: Phase = 'head';
  private pending: Buffer = Buffer.alloc(0);
  private status = 0;
  private headers = new Map<string, string>();
  private remaining = 0;
  private bodyStart = '';
  private bodyBytes = 0;

  /** True when something of a response has been seen. */
  get hasBegun(): boolean {
    return this.status !== 0 || this.pending.length > 0;
  }

  /** What is missing, for people. */
  get progress(): string {
    return `${this.phase} after ${this.bodyBytes} body bytes, status ${this.status || 'unknown'}`;
  }

  /** Takes bytes as they come; gives the response when it is whole. */
  push(bytes: Buffer): WholeResponse | undefined {
    let rest: Buffer | undefined = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    this.pending = Buffer.alloc(0);
    while (rest !== undefined && this.phase !== 'done') {
      if (rest.length === 0) break;
      const next: Buffer | undefined = this.step(rest);
      if (next === undefined) this.pending = rest;
      rest = next;
    }
    if (this.phase !== 'done') return undefined;
    if (rest !== undefined && rest.length > 0) throw new Error(`${rest.length} bytes after the end of the response`);
    return this.whole();
  }

  /** The other side closed: the end of a body without a length, or a cut. */
  end(): WholeResponse | undefined {
    if (this.phase !== 'until-close') return undefined;
    this.phase = 'done';
    return { ...this.whole(), keepsAlive: false };
  }

  /** Consumes what it can; undefined when more bytes are needed. */
  private step(bytes: Buffer): Buffer | undefined {
    switch (this.phase) {
      case 'head':
        return this.readHead(bytes);
      case 'length':
        return this.readLength(bytes);
      case 'chunk-size':
        return this.readLine(bytes, (line) => {
          const size = Number.parseInt(line, 16);
          if (Number.isNaN(size)) throw new Error(`not a chunk size: ${line.slice(0, 40)}`);
          this.remaining = size;
          this.phase = size === 0 ? 'trailer' : 'chunk';
        });
      case 'chunk':
        return this.readLength(bytes);
      case 'chunk-end':
        return this.readLine(bytes, () => {
          this.phase = 'chunk-size';
        });
      case 'trailer':
        return this.readLine(bytes, (line) => {
          if (line === '') this.phase = 'done';
        });
      case 'until-close':
        this.take(bytes);
        return bytes.subarray(bytes.length);
      case 'done':
        return undefined;
    }
  }

  private readHead(bytes: Buffer): Buffer | undefined {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      if (bytes.length > MOST_HEAD_BYTES) throw new Error('the head of the response does not end');
      return undefined;
    }
    const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    this.status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
    if (!this.status) throw new Error(`not HTTP: ${statusLine.slice(0, 60)}`);
    this.headers = new Map();
    for (const line of lines) this.readHeader(line);
    this.phase = this.phaseOfBody();
    return bytes.subarray(end + 4);
  }

  private readHeader(line: string): void {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = name === 'set-cookie' ? this.headers.get(name) : undefined;
    this.headers.set(name, before === undefined ? value : `${before}\n${value}`);
  }

  private phaseOfBody(): Phase {
    if (this.status < 200) return 'head';
    if (this.status === 204 || this.status === 304) return 'done';
    if (/chunked/i.test(this.headers.get('transfer-encoding') ?? '')) return 'chunk-size';
    const length = this.headers.get('content-length');
    if (length === undefined) return 'until-close';
    this.remaining = Number(length);
    return this.remaining === 0 ? 'done' : 'length';
  }

  private readLength(bytes: Buffer): Buffer {
    const part = bytes.subarray(0, this.remaining);
    this.take(part);
    this.remaining -= part.length;
    if (this.remaining === 0) this.phase = this.phase === 'chunk' ? 'chunk-end' : 'done';
    return bytes.subarray(part.length);
  }

  private readLine(bytes: Buffer, use: (line: string) => void): Buffer | undefined {
    const end = bytes.indexOf('\r\n');
    if (end < 0) return undefined;
    use(bytes.toString('latin1', 0, end));
    return bytes.subarray(end + 2);
  }

  private take(bytes: Buffer): void {
    this.bodyBytes += bytes.length;
    const room = BODY_START_BYTES - this.bodyStart.length;
    if (room > 0) this.bodyStart += bytes.toString('latin1', 0, Math.min(room, bytes.length));
  }

  private whole(): WholeResponse {
    const { status, headers, bodyStart, bodyBytes } = this;
    return { status, headers, bodyStart, bodyBytes, keepsAlive: !/close/i.test(headers.get('connection') ?? '') };
  }
}
