import { request as httpRequest } from 'node:http';
import { waitFor } from './wait.ts';

/** What is at a path of an answer, e.g. `State.Health.Log[]`: the types seen there, e.g. `null|string`. */
export type Shape = Readonly<Record<string, string>>;

/** Shapes of answers by the names of the requests. */
export type Shapes = Readonly<Record<string, Shape>>;

/** The oldest, that of Debian's docker, and those in which answers have changed since. */
export const VERSIONS: readonly string[] = ['1.24', '1.41', '1.42', '1.43', '1.44', '1.45', '1.46', '1.49', '1.51'];

/** Maps whose keys are not those of the API. */
const OPEN_MAPS: ReadonlySet<string> = new Set(['stats', 'Runtimes', 'Details', 'IndexConfigs']);

/** The paths of a JSON value and the types there. Ids as keys, and the keys of open maps, are `*`. */
function shapeOf(value: unknown): Shape {
  const types = new Map<string, Set<string>>();
  visit(value, '', types);
  return Object.fromEntries(
    [...types].map(([path, seen]) => [path, [...seen].toSorted().join('|')] as const).toSorted(byName),
  );
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

function visit(value: unknown, path: string, types: Map<string, Set<string>>): void {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  if (path !== '') types.set(path, (types.get(path) ?? new Set()).add(type));
  if (Array.isArray(value)) for (const element of value) visit(element, `${path}[]`, types);
  else if (value !== null && typeof value === 'object') {
    const isOpen = OPEN_MAPS.has(path.split('.').at(-1) ?? '');
    for (const [key, inner] of Object.entries(value)) {
      const name = isOpen || /^[0-9a-f]{64}$/.test(key) ? '*' : key;
      visit(inner, path === '' ? name : `${path}.${name}`, types);
    }
  }
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Any request to an engine; the answer as a whole. */
export function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers = { 'content-type': 'application/json' };
  const sent = httpRequest({ socketPath, method, path, headers, agent: false });
  const tooLong = (): void => void sent.destroy(new Error(`no answer to ${method} ${path} within 60 s`));
  sent
    .setTimeout(60_000, tooLong)
    .on('error', reject)
    .on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('error', reject).on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

/** What is made beforehand for all versions: a network, a volume, an image without a name. */
export async function prepare(socket: string): Promise<() => Promise<void>> {
  const must = async (method: string, path: string, body?: unknown): Promise<Record<string, string>> => {
    const { status, text } = await ask(socket, method, path, body);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, string>);
  };
  await must('POST', '/networks/create', { Name: 'shapes', Labels: { k: 'v' } });
  await must('POST', '/volumes/create', { Name: 'shapes', Labels: { k: 'v' } });
  const { Id: seed } = await must('POST', '/containers/create', { Image: 'busybox', Labels: { seed: '' } });
  const { Id: unnamed } = await must('POST', `/commit?container=${seed}&comment=none`, { Labels: { a: 'b' } });
  await must('DELETE', `/containers/${seed}`);
  return async () => {
    await must('DELETE', `/images/${unnamed}`);
    await must('DELETE', '/volumes/shapes');
    await must('DELETE', '/networks/shapes');
  };
}

const HOUR_NS = 3_600_000_000_000;

/** A container with something of everything that is shown. */
function containerBody(): object {
  return {
    Image: 'busybox',
    Cmd: ['sleep', '600'],
    Env: ['A=1'],
    Labels: { k: 'v' },
    ExposedPorts: { '80/tcp': {}, '81/tcp': {} },
    StopTimeout: 1,
    Healthcheck: {
      ...{ Test: ['CMD', 'true'], Interval: HOUR_NS, StartPeriod: HOUR_NS, StartInterval: HOUR_NS },
    },
    HostConfig: {
      NetworkMode: 'shapes',
      Memory: 64 << 20,
      Binds: ['/etc/hostname:/h:ro'],
      Mounts: [
        { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1 << 20 } },
        { Type: 'volume', Source: 'shapes', Target: '/v', ReadOnly: true },
      ],
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      Annotations: { note: 'x' },
      Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 512 }],
    },
    NetworkingConfig: { EndpointsConfig: { shapes: { Aliases: ['web'] } } },
  };
}

/** Asks an engine the same questions in one version of its API. */
export async function observe(socket: string, version: string): Promise<Shapes> {
  const shapes: Record<string, Shape> = {};
  const since = (Date.now() / 1_000).toFixed(3);
  const look = async (name: string, method: string, path: string, body?: unknown): Promise<Record<string, string>> => {
    const { status, contentType, text } = await ask(socket, method, `/v${version}${path}`, body);
    const isJson = contentType.startsWith('application/json') && text !== '';
    const value: unknown = isJson ? JSON.parse(text) : undefined;
    shapes[name] = { '(status)': String(status), '(content type)': contentType, ...shapeOf(value) };
    return (value ?? {}) as Record<string, string>;
  };
  await lookAround(look);
  const name = `shapes-${version.replace('.', '-')}`;
  const { Id: id = '' } = await look('create', 'POST', `/containers/create?name=${name}`, containerBody());
  try {
    await lookAt(look, id, { socket, version });
  } finally {
    await ask(socket, 'POST', `/containers/${id}/kill`);
  }
  await look('wait', 'POST', `/containers/${id}/wait`);
  await look('wait oddly', 'POST', `/containers/${id}/wait?condition=odd`);
  const isDown = async (): Promise<boolean> =>
    (await ask(socket, 'GET', `/containers/${id}/json`)).text.includes('"SandboxID":""');
  await waitFor(isDown, { timeoutMs: 60_000, what: 'the network of the container is gone' });
  await look('inspect ended', 'GET', `/containers/${id}/json`);
  await look('remove', 'DELETE', `/containers/${id}`);
  Object.assign(shapes, await eventShapes(socket, { version, since }));
  return shapes;
}

type Look = (name: string, method: string, path: string, body?: unknown) => Promise<Record<string, string>>;

async function lookAround(look: Look): Promise<void> {
  await look('ping', 'GET', '/_ping');
  await look('version', 'GET', '/version');
  await look('info', 'GET', '/info');
  await look('images', 'GET', '/images/json');
  await look('image', 'GET', '/images/busybox/json');
  await look('history', 'GET', '/images/busybox/history');
  await look('volume', 'GET', '/volumes/shapes');
  await look('create volume', 'POST', '/volumes/create', {});
  await look('prune volumes', 'POST', '/volumes/prune?filters={"label":["nosuch"]}');
  await look('prune containers', 'POST', '/containers/prune?filters={"label":["nosuch"]}');
  await look('prune networks', 'POST', '/networks/prune?filters={"label":["nosuch"]}');
  await look('prune images', 'POST', '/images/prune?filters={"label":["nosuch"]}');
  await look('no container', 'GET', '/containers/nosuch/json');
  await look('no image', 'GET', '/images/nosuch/json');
  await look('bad filter', 'GET', '/containers/json?filters={"nosuch":["x"]}');
  await look('bad create', 'POST', '/containers/create', {});
  await look('bad wait', 'POST', '/containers/nosuch/wait');
}

async function lookAt(look: Look, id: string, { socket, version }: { socket: string; version: string }): Promise<void> {
  await look('inspect created', 'GET', `/containers/${id}/json`);
  await look('start', 'POST', `/containers/${id}/start`);
  await look('inspect running', 'GET', `/containers/${id}/json?size=1`);
  await look('list', 'GET', `/containers/json?size=1&filters={"id":["${id}"]}`);
  const exec = { Cmd: ['true'], AttachStdout: true };
  const { Id: execId } = await look('create exec', 'POST', `/containers/${id}/exec`, exec);
  await look('inspect exec', 'GET', `/exec/${execId}/json`);
  await look('start exec', 'POST', `/exec/${execId}/start`, {});
  await look('inspect ended exec', 'GET', `/exec/${execId}/json`);
  await look('logs', 'GET', `/containers/${id}/logs?stdout=1`);
  if (version !== '1.24') await look('stats', 'GET', `/containers/${id}/stats?stream=0&one-shot=1`);
  await look('top', 'GET', `/containers/${id}/top`);
  await look('changes', 'GET', `/containers/${id}/changes`);
  await look('update', 'POST', `/containers/${id}/update`, { CpuShares: 512 });
  await look('networks', 'GET', '/networks?filters={"name":["shapes"]}');
  await look('network', 'GET', '/networks/shapes');
  await look('bridge', 'GET', '/networks/bridge');
  await look('volumes', 'GET', '/volumes?filters={"name":["shapes"]}');
  await look('disk usage', 'GET', '/system/df');
  await ask(socket, 'POST', `/containers/${id}/rename?name=renamed-${id.slice(0, 12)}`);
}

async function eventShapes(socket: string, { version, since }: { version: string; since: string }): Promise<Shapes> {
  const until = (Date.now() / 1_000 + 0.05).toFixed(3); // what happened in this very millisecond, too
  const { text } = await ask(socket, 'GET', `/v${version}/events?since=${since}&until=${until}`);
  const shapes: Record<string, Shape> = {};
  for (const line of text.split('\n').filter((part) => part !== '')) {
    const event = JSON.parse(line) as { Type: string; Action: string };
    const name = `event ${event.Type} ${event.Action.split(':')[0]}`;
    shapes[name] = { ...shapes[name], ...shapeOf(event) };
  }
  return shapes;
}

/** Shapes of all versions in one: a type that is not the same everywhere is given by version. */
export type Recording = Readonly<Record<string, Readonly<Record<string, string | Readonly<Record<string, string>>>>>>;

/** @param observed shapes by version, of all versions */
export function recordingOf(observed: Readonly<Record<string, Shapes>>): Recording {
  const names = [...new Set(Object.values(observed).flatMap((shapes) => Object.keys(shapes)))].toSorted();
  return Object.fromEntries(
    names.map((name) => {
      const shapes = Object.entries(observed).map(([version, all]) => [version, all[name] ?? {}] as const);
      const paths = [...new Set(shapes.flatMap(([, shape]) => Object.keys(shape)))].toSorted();
      return [name, Object.fromEntries(paths.map((path) => [path, typeOfAll(shapes, path)]))];
    }),
  );
}

function typeOfAll(shapes: readonly (readonly [string, Shape])[], path: string): string | Record<string, string> {
  const byVersion = shapes.flatMap(([version, shape]) => (shape[path] === undefined ? [] : [[version, shape[path]]]));
  const types = new Set(byVersion.map(([, type]) => type));
  const [type] = types;
  if (types.size === 1 && byVersion.length === shapes.length && type !== undefined) return type;
  return Object.fromEntries(byVersion) as Record<string, string>;
}

/** The shapes of one version out of a recording. */
export function shapesIn(recording: Recording, version: string): Shapes {
  return Object.fromEntries(
    Object.entries(recording).map(([name, paths]) => [
      name,
      Object.fromEntries(
        Object.entries(paths).flatMap(([path, type]) => {
          const found = typeof type === 'string' ? type : type[version];
          return found === undefined ? [] : [[path, found]];
        }),
      ),
    ]),
  );
}
