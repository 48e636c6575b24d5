import { Agent, request } from 'node:http';

/** One client of a Docker Engine API, with one connection that it keeps. */
export interface ApiClient extends Disposable {
  /** The body of the answer. @throws where the status is not one of success */
  call(method: string, path: string, body?: object): Promise<Buffer>;
}

export function openApi(socketPath: string): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    call: (method, path, body) => ask({ agent, socketPath, method, path }, body),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

interface Question {
  readonly agent: Agent;
  readonly socketPath: string;
  readonly method: string;
  readonly path: string;
}

function ask(question: Question, body?: object): Promise<Buffer> {
  const headers = { host: 'docker', ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  return new Promise((resolve, reject) => {
    request({ ...question, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const answer = Buffer.concat(chunks);
        if ((response.statusCode ?? 500) < 300) resolve(answer);
        else
          reject(new Error(`${question.method} ${question.path}: ${response.statusCode} ${answer.toString('utf8')}`));
      });
    })
      .once('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}
