import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, mirrorsOf } from './endpoints.ts';

const settings = {
  insecure: ['old.example.org', 'lab:5000'],
  mirrors: {},
  certificateFolders: [],
  proxyEnvironment: {},
};

describe('where a registry is', () => {
  it('for Docker Hub is another host', () => {
    const { host, schemes, verifiesCertificate } = endpointOf('docker.io', settings);
    assert.deepEqual([host, schemes, verifiesCertificate], ['registry-1.docker.io', ['https'], true]);
  });

  it('without TLS only on loopback and where that is listed', () => {
    for (const registry of ['localhost:5000', '127.0.0.1', '127.1.2.3:80', 'old.example.org:5000', 'lab:5000'])
      assert.deepEqual(endpointOf(registry, settings).schemes, ['https', 'http'], registry);
    for (const registry of ['lab:5001', 'lab', '127.example.org', 'localhost.example.org', '10.0.0.1:5000'])
      assert.deepEqual(endpointOf(registry, settings).schemes, ['https'], registry);
  });

  it('may have mirrors in front of it', () => {
    const mirrors = { 'docker.io': ['https://mirror.io/hub/', 'http://127.0.0.1:5000'] };
    const [first, second] = mirrorsOf('docker.io', { ...settings, mirrors });
    assert.deepEqual([first?.host, first?.pathPrefix, first?.schemes], ['mirror.io', '/hub', ['https']]);
    assert.deepEqual([second?.host, second?.pathPrefix, second?.schemes], ['127.0.0.1:5000', '', ['http']]);
    assert.deepEqual(mirrorsOf('r.io', { ...settings, mirrors }), []);
  });
});
