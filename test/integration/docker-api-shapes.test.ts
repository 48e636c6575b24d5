import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ask, observe, prepare, shapesIn, VERSIONS, type Recording, type Shapes } from '../support/api-shapes.ts';
import { cannotRunContainers, openTestEngine } from '../support/docker-engine.ts';

/** As recorded with dockerd 28.5.2 by `test/support/api-shapes-record.ts`. */
const RECORDED = JSON.parse(
  readFileSync(new URL('docker-api-shapes.json', import.meta.url), 'utf8'),
) as unknown as Recording;

/** What is different and stays so: paths of answers, and why. */
const DIFFERENT: readonly (readonly [RegExp, string])[] = [
  [/^(?:no|bad|wait oddly).*: (?:code|fix)$/, 'errors say more here'],
  [/^info: (?:Containerd\b|Runtimes\.\*\.status|DefaultAddressPools|CDISpecDirs\[\])/, 'there is none of it here'],
  [/^info: (?:NEventsListener|NFd|NGoroutines|KernelMemoryTCP)/, 'for the debugging of dockerd; of the kernel'],
  [/^image: Config\.Env/, 'another busybox'],
  [/^image: GraphDriver\.Data\.|: GraphDriver\.Data\.ID$/, 'folders that only dockerd has'],
  [/^disk usage: Images\[\]\.Repo/, 'names here as in the list of images'],
  [/^disk usage: Containers\[\]\.HostConfig\.Annotations/, 'here from the version on that has them in lists'],
  [/^disk usage: BuilderSize/, 'of dockerd before 23'],
  [/: (?:Containers)?\[\]\.SizeRw$/, 'nothing was written, or something: it depends on the file system'],
  [/^changes: /, 'dockerd lists the folders that it makes for mounts'],
  [/^networks?: .*IPAM\.Options$/, 'not kept here'],
  [/^bridge: IPAM\.Config\[\]/, 'the default bridge has its subnet from its first container on'],
  [/^start exec: \(content type\)/, 'dockerd names frames so only where the connection is upgraded'],
  [/^stats: (?:id|name)$/, 'dockerd forgets them when it is asked for one shot'],
  [/^stats: (?:blkio_stats|memory_stats|pids_stats|cpu_stats\.cpu_usage\.percpu)/, 'depends on the kernel'],
];

/** What the answers of an engine have in another shape than recorded. */
function differences(ours: Shapes, theirs: Shapes): readonly string[] {
  return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].flatMap((name) => {
    const [here, there] = [ours[name] ?? {}, theirs[name] ?? {}];
    return [...new Set([...Object.keys(here), ...Object.keys(there)])]
      .filter((path) => here[path] !== there[path])
      .map((path) => `${name}: ${path}: ${here[path] ?? 'absent'}, in dockerd ${there[path] ?? 'absent'}`)
      .filter((text) => !DIFFERENT.some(([pattern]) => pattern.test(text.split(': ').slice(0, 2).join(': '))));
  });
}

interface Case {
  readonly what: string;
  readonly request: readonly [method: string, path: string, body?: object];
  /** By version: the status, and what the answer has or has not. */
  readonly answers: Readonly<Record<string, readonly [status: number, has: RegExp]>>;
}

const TWO_NETWORKS = { EndpointsConfig: { shapes: { Aliases: ['www'] }, bridge: {} } };

const creating = (HostConfig: object, more: object = {}): Case['request'] => [
  'POST',
  '/containers/create?name=versions',
  { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'shapes', ...HostConfig }, ...more },
];

const CASES: readonly Case[] = [
  {
    what: 'several networks at once',
    request: creating({}, { NetworkingConfig: TWO_NETWORKS }),
    answers: {
      1.43: [400, /Container cannot be created with multiple network endpoints: (shapes, bridge|bridge, shapes)"/],
      1.44: [201, /"Warnings":\[\]/],
    },
  },
  {
    what: 'a folder of a volume',
    request: creating({ Mounts: [{ Type: 'volume', Source: 'v', Target: '/v', VolumeOptions: { Subpath: 'a' } }] }),
    answers: { 1.44: [400, /VolumeOptions.Subpath needs API v1.45 or newer/] },
  },
  {
    what: 'an image as a mount',
    request: creating({ Mounts: [{ Type: 'image', Source: 'busybox', Target: '/v' }] }),
    answers: { 1.47: [400, /Mount type \\"Image\\" needs API v1.48 or newer/] },
  },
  {
    what: 'options of another type of mount',
    request: creating({ Mounts: [{ Type: 'bind', Source: '/etc', Target: '/v', VolumeOptions: { NoCopy: true } }] }),
    answers: {
      1.41: [400, /field VolumeOptions must not be specified/],
      1.42: [400, /VolumeOptions must not be specified on mount type \\"bind\\"/],
    },
  },
  {
    what: 'options of a tmpfs for another mount',
    request: creating({ Mounts: [{ Type: 'bind', Source: '/etc', Target: '/v', TmpfsOptions: { Mode: 511 } }] }),
    answers: { 1.41: [201, /Id/], 1.42: [400, /TmpfsOptions must not be specified on mount type \\"bind\\"/] },
  },
  {
    what: 'a driver of volumes that has no effect',
    request: creating({ VolumeDriver: 'local', Mounts: [{ Type: 'volume', Source: 'shapes', Target: '/v' }] }),
    answers: {
      1.47: [201, /"Warnings":\[\]/],
      1.48: [201, /the container-wide volume-driver configuration is ignored/],
    },
  },
  {
    what: 'a limit that is no more',
    request: creating({ KernelMemory: 8 << 20 }),
    answers: { 1.42: [201, /"Warnings":\[\]/], 1.51: [201, /"Warnings":\[\]/] },
  },
  {
    what: 'one hardware address for the container',
    request: creating({}, { MacAddress: '02:42:0a:0b:0c:0d' }),
    answers: {
      1.43: [201, /"Warnings":\[\]/],
      1.44: [201, /"The container-wide MacAddress field is now deprecated/],
    },
  },
  {
    what: 'images without a name',
    request: ['GET', '/images/json?filters={"dangling":["true"]}'],
    answers: { 1.42: [200, /"RepoTags":\["<none>:<none>"\]/], 1.43: [200, /"RepoTags":\[\]/] },
  },
  {
    what: 'the number of containers of an image',
    request: ['GET', '/images/json?filters={"dangling":["true"]}'],
    answers: { '1.50': [200, /"Containers":-1/], 1.51: [200, /"Containers":0/] },
  },
  {
    what: 'an image for a platform that it is not for',
    request: ['GET', '/images/busybox/json?platform={"os":"linux","architecture":"s390x"}'],
    answers: { 1.48: [200, /"Id"/], 1.49: [404, /does not match the specified platform/] },
  },
  {
    what: 'what a version has not',
    request: ['GET', '/info'],
    answers: {
      1.23: [400, /client version 1.23 is too old. Minimum supported API version is 1.24/],
      1.52: [400, /client version 1.52 is too new. Maximum supported API version is 1.51/],
    },
  },
  {
    what: 'named volumes when pruning',
    request: ['POST', '/volumes/prune?filters={"label":["k=pruned"]}'],
    answers: { 1.42: [200, /"VolumesDeleted":(null|\[\])/], 1.41: [200, /"VolumesDeleted":\["pruned"\]/] },
  },
];

/** The engine's answers have the keys and types of dockerd's in every version that clients may ask for. */
describe('versions of the Docker Engine API', { skip: cannotRunContainers() }, () => {
  const undo = new AsyncDisposableStack();
  let socket = process.env['BASCULE_TEST_ENGINE'] ?? '';
  before(async () => {
    if (socket === '') ({ socket } = undo.use(await openTestEngine()));
    undo.defer(await prepare(socket));
    await ask(socket, 'POST', '/volumes/create', { Name: 'pruned', Labels: { k: 'pruned' } });
  });
  after(() => undo.disposeAsync());

  for (const version of VERSIONS) {
    it(`has the shapes of ${version}`, async () => {
      assert.deepEqual(differences(await observe(socket, version), shapesIn(RECORDED, version)), []);
    });
  }

  for (const { what, request, answers } of CASES) {
    it(`knows since when: ${what}`, async () => {
      const [method, path, body] = request;
      for (const [version, [status, has]] of Object.entries(answers)) {
        const answer = await ask(socket, method, encodeURI(`/v${version}${path}`), body);
        assert.equal(answer.status, status, `${version}: ${answer.text}`);
        assert.match(answer.text, has, version);
        if (status === 201) await ask(socket, 'DELETE', '/containers/versions?force=1');
      }
    });
  }
});
