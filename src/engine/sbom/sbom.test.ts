import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDatabase, packagesOf } from './packages-of.ts';
import { packageUrl } from './package-url.ts';
import { renderCycloneDx } from './render-cyclonedx.ts';
import { renderSpdx } from './render-spdx.ts';
import { parseStanzas } from './stanzas.ts';

const FILES = new Map([
  ['etc/os-release', 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'],
  [
    'var/lib/dpkg/status',
    `Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc
Version: 2.36-9+deb12u7
Description: GNU C Library: Shared libraries
 Contains the standard libraries.
 .
 Package: not-a-field

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0
Conffiles:
 /etc/gone 0123

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 1:2024a-0+deb12u1
`,
  ],
  [
    'app/node_modules/.package-lock.json',
    JSON.stringify({
      packages: { 'node_modules/left-pad': { version: '1.3.0', integrity: 'sha1-W4o6d6Xf3vwNNQAkdb0NCqSWF8k=' } },
    }),
  ],
  ['app/node_modules/left-pad/package.json', JSON.stringify({ name: 'left-pad', version: '1.3.0', license: 'WTFPL' })],
  [
    'app/node_modules/@babel/core/package.json',
    JSON.stringify({ name: '@babel/core', version: '7.0.0', license: { type: 'MIT' } }),
  ],
  ['tool/node_modules/left-pad/package.json', JSON.stringify({ name: 'left-pad', version: '1.3.0', license: 'WTFPL' })],
  ['app/node_modules/broken/package.json', '{'],
  [
    'usr/lib/python3/dist-packages/requests-2.28.1.dist-info/METADATA',
    'Metadata-Version: 2.1\nName: requests\nVersion: 2.28.1\nLicense: Apache 2.0\n\nName: this is the description\n',
  ],
]);

const SUBJECT = { id: `sha256:${'ab'.repeat(32)}`, name: 'shop/web:1', createdAt: new Date('2026-05-01T00:00:00Z') };

describe('packages', () => {
  it('are read from the databases of dpkg, npm and Python, each once', () => {
    assert.deepEqual(packagesOf(FILES).map(packageUrl), [
      'pkg:deb/debian/libc6@2.36-9+deb12u7?arch=amd64&distro=debian-12&upstream=glibc',
      'pkg:deb/debian/tzdata@1:2024a-0+deb12u1?arch=all&distro=debian-12',
      'pkg:npm/left-pad@1.3.0',
      'pkg:npm/%40babel/core@7.0.0',
      'pkg:pypi/requests@2.28.1',
    ]);
    const leftPad = packagesOf(FILES).find(({ name }) => name === 'left-pad');
    assert.deepEqual(leftPad?.places.length, 2);
    assert.match(leftPad?.integrity ?? '', /^sha1-/);
  });

  it('are looked for in databases only', () => {
    assert.ok([...FILES.keys()].every(isDatabase));
    const others = ['app/package.json', 'app/node_modules/a/lib/package.json', 'var/lib/dpkg/status-old', 'METADATA'];
    assert.deepEqual(others.filter(isDatabase), []);
  });

  it('of other distributions have their name', () => {
    const files = new Map([...FILES, ['etc/os-release', "ID=ubuntu\nVERSION_ID='24.04'\n"]]);
    assert.match(packageUrl(packagesOf(files)[0]!), /^pkg:deb\/ubuntu\/.*distro=ubuntu-24\.04/);
  });

  it('are paragraphs of fields that may go on', () => {
    assert.deepEqual(
      parseStanzas('A: 1\r\nB: x\r\n y\r\n\r\n\r\nA: 2\n').map((stanza) => Object.fromEntries(stanza)),
      [{ a: '1', b: 'x\ny' }, { a: '2' }],
    );
  });
});

describe('a bill of materials', () => {
  it('is the same for the same image', () => {
    for (const render of [renderCycloneDx, renderSpdx])
      assert.equal(render(SUBJECT, packagesOf(FILES)), render(SUBJECT, packagesOf(new Map([...FILES].toReversed()))));
  });

  it('is CycloneDX', () => {
    const bom = JSON.parse(renderCycloneDx(SUBJECT, packagesOf(FILES))) as {
      readonly bomFormat: string;
      readonly specVersion: string;
      readonly serialNumber: string;
      readonly metadata: { readonly timestamp: string; readonly component: { readonly type: string } };
      readonly components: readonly { readonly purl: string; readonly licenses?: unknown; readonly hashes?: unknown }[];
      readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
    };
    assert.deepEqual([bom.bomFormat, bom.specVersion, bom.metadata.component.type], ['CycloneDX', '1.6', 'container']);
    assert.match(bom.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(bom.metadata.timestamp, '2026-05-01T00:00:00.000Z');
    const of = (purl: string) => bom.components.find((each) => each.purl.startsWith(purl));
    assert.deepEqual(of('pkg:npm/left-pad')?.licenses, [{ license: { id: 'WTFPL' } }]);
    assert.deepEqual(of('pkg:pypi/requests')?.licenses, [{ license: { name: 'Apache 2.0' } }]);
    assert.deepEqual(of('pkg:npm/left-pad')?.hashes, [
      { alg: 'SHA-1', content: '5b8a3a77a5dfdefc0d35002475bd0d0aa49617c9' },
    ]);
    assert.equal(bom.dependencies.find(({ ref }) => ref === 'image')?.dependsOn?.length, bom.components.length);
  });

  it('is SPDX', () => {
    const document = JSON.parse(renderSpdx(SUBJECT, packagesOf(FILES))) as {
      readonly spdxVersion: string;
      readonly packages: readonly {
        readonly SPDXID: string;
        readonly name: string;
        readonly licenseDeclared: string;
      }[];
      readonly relationships: readonly { readonly relatedSpdxElement: string }[];
    };
    assert.equal(document.spdxVersion, 'SPDX-2.3');
    const licenseOf = (name: string) => document.packages.find((each) => each.name === name)?.licenseDeclared;
    assert.deepEqual([licenseOf('@babel/core'), licenseOf('requests')], ['MIT', 'NOASSERTION']);
    assert.deepEqual(
      document.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement).toSorted(),
      document.packages.map(({ SPDXID }) => SPDXID).toSorted(),
    );
  });
});
