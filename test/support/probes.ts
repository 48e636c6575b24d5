import { get } from 'node:http';
import { WebSocket } from 'ws';

/** What became of one long connection. */
export interface ProbeReport {
  /** Still open when it was looked at. */
  readonly isAlive: boolean;
  readonly messages: number;
  /** Why and when (milliseconds since it was opened) it ended by itself. */
  readonly ended?: { readonly atMs: number; readonly why: string };
  /** Messages that were expected and did not come, or came out of order. */
  readonly gaps: number;
  readonly longestSilenceMs: number;
}

export interface Probe extends Disposable {
  snapshot(): ProbeReport;
  /** Closes it from our side, and tells how it was until then. */
  close(): ProbeReport;
}

/** Opens a WebSocket to an echo server and sends it a number every `everyMs`; resolves with the first answer. */
export function openWebSocketProbe(url: string, everyMs = 50): Promise<Probe> {
  const socket = new WebSocket(url);
  const watch = createWatch(() => socket.terminate());
  let sent = 0;
  const timer = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.send(String(sent++));
  }, everyMs);
  return new Promise((resolve, reject) => {
    socket.on('message', (data) => {
      watch.message(Number(String(data)));
      resolve(watch.probe);
    });
    socket.on('error', (error) => {
      watch.end(error.message);
      reject(error);
    });
    socket.on('close', (code) => {
      clearInterval(timer);
      watch.end(`closed with code ${code}`);
    });
  });
}

/** Opens an event stream whose events are `data: <number>`, counting up; resolves with the first event. */
export function openEventStreamProbe(url: string): Promise<Probe> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { accept: 'text/event-stream' }, agent: false });
    const watch = createWatch(() => request.destroy());
    request.on('error', (error) => {
      watch.end(error.message);
      reject(error);
    });
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        const events = (text + part).split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) watch.message(Number(/^data: (\d+)/m.exec(event)?.[1]));
        if (events.length > 0) resolve(watch.probe);
      });
      response.on('error', (error) => watch.end(error.message));
      response.on('close', () => watch.end('the stream ended'));
    });
  });
}

interface ProbeWatch {
  readonly probe: Probe;
  message(value: number): void;
  end(why: string): void;
}

function createWatch(hangUp: () => void): ProbeWatch {
  const openedAt = performance.now();
  let [messages, gaps, longestSilenceMs, expected] = [0, 0, 0, Number.NaN];
  let lastAt: number | undefined;
  let ended: ProbeReport['ended'];
  let isClosing = false;
  const leave = (): void => {
    isClosing = true;
    hangUp();
  };
  const snapshot = (): ProbeReport => ({
    isAlive: ended === undefined,
    messages,
    gaps,
    longestSilenceMs: Math.round(longestSilenceMs),
    ...(ended === undefined ? {} : { ended }),
  });
  return {
    message(value) {
      const now = performance.now();
      messages++;
      if (!Number.isNaN(expected) && value !== expected) gaps++;
      expected = value + 1;
      if (lastAt !== undefined) longestSilenceMs = Math.max(longestSilenceMs, now - lastAt);
      lastAt = now;
    },
    end(why) {
      if (!isClosing) ended ??= { atMs: Math.round(performance.now() - openedAt), why };
    },
    probe: {
      snapshot,
      close() {
        const report = snapshot();
        leave();
        return report;
      },
      [Symbol.dispose]: leave,
    },
  };
}
