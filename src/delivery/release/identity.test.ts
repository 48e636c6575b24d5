import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultSettings, type Project, type Service } from '../compose/index.ts';
import { identitiesOf, type ServiceIdentity } from './identity.ts';

const service = (more: Partial<Service> = {}): Service => ({ command: null, entrypoint: null, settings: {}, ...more });
const after = (...names: string[]): Partial<Service> => ({
  depends_on: Object.fromEntries(
    names.map((name) => [name, { condition: 'service_started' as const, required: true }]),
  ),
});
const data: Partial<Service> = { volumes: [{ type: 'volume', source: 'data', target: '/data' }] };

function identities(
  services: Record<string, Service>,
  images: Record<string, string> = {},
  files: Record<string, string> = {},
): Readonly<Record<string, ServiceIdentity>> {
  const project = {
    name: 'p',
    services,
    networks: {},
    volumes: { data: { name: 'p_data' } },
    configs: {},
    secrets: {},
    models: {},
    extensions: {},
    settings: defaultSettings(),
  } satisfies Project;
  const versions = Object.entries(files).map(([key, version]) => [key, { version, kind: 'config' as const }]);
  return identitiesOf({ project, images, files: Object.fromEntries(versions) });
}

describe('the identity of a set', () => {
  it('changes with the image, the configuration and the content of files', () => {
    const uses = service({ configs: [{ source: 'motd' }] });
    const base = identities({ web: uses }, { web: 'sha256:1' }, { 'configs/motd': 'a' })['web']!.identity;
    assert.notEqual(identities({ web: uses }, { web: 'sha256:2' }, { 'configs/motd': 'a' })['web']!.identity, base);
    assert.notEqual(identities({ web: uses }, { web: 'sha256:1' }, { 'configs/motd': 'b' })['web']!.identity, base);
    const other = service({ configs: [{ source: 'motd' }], environment: { A: '1' } });
    assert.notEqual(identities({ web: other }, { web: 'sha256:1' }, { 'configs/motd': 'a' })['web']!.identity, base);
  });

  it('does not depend on what an instance is not touched by, nor on the order of keys', () => {
    const base = identities({ web: service({ environment: { A: '1', B: '2' } }) })['web']!.identity;
    const same = service({
      environment: { B: '2', A: '1' },
      ports: [{ target: 80, published: '8080' }],
      build: { context: '/elsewhere' },
      deploy: { replicas: 3, resources: {}, placement: {} },
      'x-note': 'anything',
    });
    assert.equal(identities({ web: same })['web']!.identity, base);
  });

  it('changes when a stateless service that it depends on changes, however far away', () => {
    const services = { web: service(after('api')), api: service(after('auth')), auth: service() };
    const [before, later] = [identities(services, { auth: '1' }), identities(services, { auth: '2' })];
    assert.notEqual(before['web']!.identity, later['web']!.identity);
    assert.equal(before['web']!.ownIdentity, later['web']!.ownIdentity);
  });

  it('stays when a stateful service that it depends on changes', () => {
    const services = { web: service(after('db')), db: service(data) };
    const [before, later] = [identities(services, { db: '1' }), identities(services, { db: '2' })];
    assert.equal(before['web']!.identity, later['web']!.identity);
    assert.notEqual(before['db']!.ownIdentity, later['db']!.ownIdentity);
  });
});

describe('a service', () => {
  it('is stateful when it writes to a volume or to a folder of the host', () => {
    const readOnly = service({ volumes: [{ type: 'volume', source: 'data', target: '/data', read_only: true }] });
    const anonymous = service({ volumes: [{ type: 'volume', target: '/cache' }] });
    const folder = service({ volumes: [{ type: 'bind', source: '/srv', target: '/srv' }] });
    const denied = service({ ...data, settings: { stateful: false } });
    const made = identities({ a: service(data), b: readOnly, c: anonymous, d: folder, e: denied, f: service() });
    assert.deepEqual(
      Object.values(made).map(({ stateful }) => stateful),
      [true, false, false, true, false, false],
    );
  });

  it('is a job when another one waits for it to complete', () => {
    const waits: Partial<Service> = {
      depends_on: { setup: { condition: 'service_completed_successfully', required: true } },
    };
    const made = identities({ web: service(waits), setup: service(data) });
    assert.equal(made['setup']!.job, true);
    assert.equal(made['setup']!.stateful, false);
  });
});
