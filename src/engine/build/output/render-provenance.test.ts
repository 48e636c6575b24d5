import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageConfig } from '../../../lib/oci/index.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import type { BuildRequest } from '../face.ts';
import { planBuild } from '../plan/plan-build.ts';
import { type BuildRecord, originAnnotations, renderProvenance } from './render-provenance.ts';

const CONFIG: ImageConfig = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } };
const BASE = `sha256:${'b'.repeat(64)}` as const;
const MANIFEST = `sha256:${'d'.repeat(64)}` as const;

function recordOf(dockerfile: string, o: { readonly request?: Partial<BuildRequest>; readonly pulled?: boolean } = {}) {
  const request: BuildRequest = {
    context: { kind: 'directory', path: '/src' },
    ...{ dockerfile: 'Dockerfile', buildArgs: {}, labels: {}, tags: ['shop/web:1'], noCache: false },
    onProgress: () => {},
    ...o.request,
  };
  const plan = planBuild(parseDockerfile(dockerfile, 'Dockerfile'), {
    ...{ target: undefined, buildArgs: request.buildArgs, labels: {}, networkMode: 'default' },
    platform: { os: 'linux', architecture: 'amd64' },
    findImage: () => ({ id: BASE, config: CONFIG }),
  });
  const record: BuildRecord = {
    ...{ request, plan, imageId: `sha256:${'a'.repeat(64)}` },
    images: [{ name: 'debian:bookworm', id: BASE, repoDigests: o.pulled === true ? [`debian@${MANIFEST}`] : [] }],
    checkout: { revision: 'c'.repeat(40), source: 'https://example.org/shop.git' },
    finishedAt: new Date('2026-05-01T00:00:00Z'),
  };
  return record;
}

interface Statement {
  readonly subject: readonly { readonly digest: Readonly<Record<string, string>> }[];
  readonly predicate: {
    readonly buildDefinition: {
      readonly externalParameters: Readonly<Record<string, unknown>>;
      readonly resolvedDependencies: readonly { readonly uri: string; readonly digest?: object }[];
    };
  };
}

const statementOf = (record: BuildRecord): Statement => JSON.parse(renderProvenance(record)) as Statement;

describe('provenance', () => {
  it('has the Dockerfile, the bases and the commit', () => {
    const text = 'FROM debian:bookworm AS a\nRUN true\nFROM a\nCOPY . /app\n';
    const { subject, predicate } = statementOf(recordOf(text));
    assert.deepEqual(subject[0]?.digest, { sha256: 'a'.repeat(64) });
    assert.deepEqual(predicate.buildDefinition.externalParameters['dockerfile'], { path: 'Dockerfile', text });
    assert.deepEqual(
      predicate.buildDefinition.resolvedDependencies.map(({ uri, digest }) => [uri, digest]),
      [
        ['docker-image://docker.io/library/debian:bookworm', { sha256: 'b'.repeat(64) }],
        ['git+https://example.org/shop.git', { gitCommit: 'c'.repeat(40) }],
      ],
    );
  });

  it('has no secret: neither values, nor arguments named so, nor passwords in addresses, nor proxies', () => {
    const secret = 'hunter2';
    const record = recordOf(`FROM debian:bookworm\nADD https://me:${secret}@example.org/file /\n`, {
      request: {
        context: { kind: 'remote', url: `https://me:${secret}@example.org/shop.git#main` },
        buildArgs: {
          NPM_TOKEN: secret,
          DB_PASSWORD: secret,
          HTTP_PROXY: `http://me:${secret}@proxy`,
          MIRROR: `https://me:${secret}@example.org/`,
          VERSION: '2',
        },
        secrets: { npm: Buffer.from(secret) },
      },
    });
    const rendered = renderProvenance(record);
    assert.ok(!rendered.includes(secret));
    const history = record.plan.stages.flatMap(({ steps }) => steps.map(({ createdBy }) => createdBy));
    assert.deepEqual(history.filter(Boolean), ['ADD https://example.org/file / # buildkit']);
    assert.match(rendered, /"VERSION": "2"/);
    assert.match(rendered, /"NPM_TOKEN": null/);
    assert.match(rendered, /"secrets": \[\s*"npm"/);
  });

  it('is told in short by the names that OCI gives', () => {
    const record = recordOf('FROM debian:bookworm AS a\nFROM a\nRUN true\n', { pulled: true });
    assert.deepEqual(originAnnotations(record), {
      'org.opencontainers.image.revision': 'c'.repeat(40),
      'org.opencontainers.image.source': 'https://example.org/shop.git',
      'org.opencontainers.image.base.name': 'docker.io/library/debian:bookworm',
      'org.opencontainers.image.base.digest': MANIFEST,
    });
    assert.deepEqual(Object.keys(originAnnotations(recordOf('FROM scratch\nCOPY . /\n'))), [
      'org.opencontainers.image.revision',
      'org.opencontainers.image.source',
    ]);
  });
});
