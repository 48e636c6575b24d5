import { connect, type Socket } from 'node:net';
import { messageOf, systemCodeOf, UserError } from '../../../lib/errors.ts';
import { nowMs } from '../moments.ts';
import type { Moved } from '../traffic.ts';
import { judge, type Reply, type Verdict } from './replies.ts';

const TIMEOUT_MS = 5_000;
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** HAProxy's runtime API: each call is one connection, one line of commands, one answer. */
export interface RuntimeApi {
  /** The answer as it came. @throws UserError `proxy-unreachable` */
  ask(...commands: readonly string[]): Promise<string>;
  /**
   * For commands that change something.
   * @throws UserError `proxy-refused` unless the verdict is `done` or one of those that the caller expects
   */
  tell(commands: readonly string[], expected?: readonly Verdict[]): Promise<Told>;
}

/** What came of commands, and between which moments: from the write on an open connection to the last of the answer. */
export interface Told extends Reply {
  readonly moved: Moved;
}

interface Answer {
  readonly text: string;
  readonly moved: Moved;
}

export function createRuntimeApi(socketPath: string): RuntimeApi {
  const say = (commands: readonly string[]): Promise<Answer> => converse(socketPath, `${commands.join('; ')}\n`);
  return {
    ask: async (...commands) => (await say(commands)).text,
    async tell(commands, expected = []) {
      const { text, moved } = await say(commands);
      const reply = judge(text);
      if (reply.verdict === 'done' || expected.includes(reply.verdict)) return { ...reply, moved };
      throw refused(commands, reply);
    },
  };
}

/** The writing side stays open: some versions drop the answer of a client that has closed it. */
function converse(socketPath: string, line: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(socketPath);
    const chunks: Buffer[] = [];
    let bytes = 0;
    let fromMs = 0;
    let untilMs = 0;
    const fail = (cause: unknown): void => {
      socket.destroy();
      reject(unreachableProxy(socketPath, cause));
    };
    socket.setTimeout(TIMEOUT_MS, () => fail(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', fail);
    socket.on('connect', () => {
      fromMs = nowMs();
      socket.write(line);
    });
    socket.on('data', (chunk: Buffer) => {
      untilMs = nowMs();
      bytes += chunk.length;
      if (bytes > MAX_REPLY_BYTES) fail(new Error('the answer does not end'));
      else chunks.push(chunk);
    });
    socket.on('end', () => {
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString('utf8'), moved: { fromMs, untilMs } });
    });
  });
}

function unreachableProxy(socketPath: string, cause: unknown): UserError {
  return new UserError({
    code: 'proxy-unreachable',
    kind: 'unavailable',
    message: `the proxy does not answer at ${socketPath}: ${systemCodeOf(cause) ?? messageOf(cause)}`,
    fix: 'Bascule restarts it by itself within seconds; when this persists, look into haproxy.log beside the socket.',
    cause,
  });
}

/** What was sent along may be a private key: it stays out of messages and logs. */
function refused(sent: readonly string[], reply: Reply): UserError {
  const commands = sent.map((command) => command.replace(/<<\n[^]*$/, '<< …'));
  return new UserError({
    code: 'proxy-refused',
    kind: 'failed',
    message: `the proxy refused "${commands.join('; ')}": ${reply.line}`,
    fix: 'Run `bascule doctor`: it compares the live proxy with what Bascule has set.',
    details: { commands, verdict: reply.verdict },
  });
}
