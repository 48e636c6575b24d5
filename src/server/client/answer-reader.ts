/** The beginning of an answer. */
export interface AnswerHead {
  readonly status: number;
}

export interface AnswerEvents {
  onHead(head: AnswerHead): void;
  onData(data: Buffer): void;
  onEnd(): void;
}

export interface AnswerReader {
  /** @throws Error where it is no HTTP/1.1 */
  take(data: Buffer): void;
  /** The connection has ended. @returns whether the answer was whole */
  end(): boolean;
}

type State =
  | { readonly at: 'head' | 'chunk-size' | 'chunk-end' | 'trailers' | 'open' | 'over' }
  | { readonly at: 'fixed' | 'chunk'; readonly left: number };

const BLANK_LINE = '\r\n\r\n';
const LINE_END = '\r\n';
const MOST_HEAD_BYTES = 64 * 1024;

/** Reads one answer of HTTP/1.1 (RFC 9112) out of the pieces that a connection gives. */
export function createAnswerReader(on: AnswerEvents): AnswerReader {
  let state: State = { at: 'head' };
  let rest: Buffer = Buffer.alloc(0);
  const enter = (next: State): State => {
    if (next.at === 'over') on.onEnd();
    return next;
  };
  /** The text before the first `mark`, which is taken with it; undefined where it is not there yet. */
  const upTo = (mark: string): string | undefined => {
    const end = rest.indexOf(mark);
    if (end < 0 && rest.length > MOST_HEAD_BYTES) throw notHttp();
    if (end < 0) return undefined;
    const text = rest.toString('latin1', 0, end);
    rest = rest.subarray(end + mark.length);
    return text;
  };
  const data = (most: number): number => {
    const piece = rest.subarray(0, most);
    rest = rest.subarray(piece.length);
    if (piece.length > 0) on.onData(piece);
    return piece.length;
  };
  /** @returns the state that follows; undefined where more has to come first */
  const step = (): State | undefined => {
    switch (state.at) {
      case 'head': {
        const text = upTo(BLANK_LINE);
        return text === undefined ? undefined : afterHead(text, on);
      }
      case 'fixed':
      case 'chunk': {
        if (rest.length === 0) return undefined;
        const left = state.left - data(state.left);
        if (left > 0) return { at: state.at, left };
        return { at: state.at === 'fixed' ? 'over' : 'chunk-end' };
      }
      case 'chunk-size': {
        const line = upTo(LINE_END);
        return line === undefined ? undefined : afterSize(line);
      }
      case 'chunk-end':
        return upTo(LINE_END) === undefined ? undefined : { at: 'chunk-size' };
      case 'trailers': {
        const line = upTo(LINE_END);
        return line === undefined ? undefined : { at: line === '' ? 'over' : 'trailers' };
      }
      case 'open':
        data(rest.length);
        return undefined;
      case 'over':
        return undefined;
    }
  };
  return {
    take(piece) {
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      for (let next = step(); next !== undefined; next = step()) state = enter(next);
    },
    end() {
      if (state.at === 'open') state = enter({ at: 'over' });
      return state.at === 'over';
    },
  };
}

function afterHead(text: string, on: AnswerEvents): State {
  const [first = '', ...lines] = text.split(LINE_END);
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw notHttp();
  if (status < 200) return { at: 'head' }; // the answer itself follows
  on.onHead({ status });
  const header = (name: string): string | undefined =>
    lines.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1);
  if (status === 204 || status === 304) return { at: 'over' };
  if (header('transfer-encoding')?.trim().toLowerCase() === 'chunked') return { at: 'chunk-size' };
  const length = header('content-length');
  if (length === undefined) return { at: 'open' };
  return Number(length) === 0 ? { at: 'over' } : { at: 'fixed', left: Number(length) };
}

function afterSize(line: string): State {
  const digits = /^[0-9a-f]+/i.exec(line)?.[0];
  if (digits === undefined) throw notHttp();
  const left = Number.parseInt(digits, 16);
  return left === 0 ? { at: 'trailers' } : { at: 'chunk', left };
}

function notHttp(): Error {
  return new Error('what answers on the socket speaks no HTTP/1.1');
}
