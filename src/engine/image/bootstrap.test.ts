import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { chooseMirrors, parseAptSources, parseOsRelease, renderSources } from './apt-sources.ts';
import { bootstrapNames, recipeOf } from './bootstrap-catalog.ts';
import { mmdebstrapArgv } from './mmdebstrap-argv.ts';

const DEB822 = `Types: deb
# http://snapshot.example/debian
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main

Types: deb deb-src
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example
Suites: bookworm
`;
const ONE_LINE = `# deb http://commented.example jammy main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/ubuntu jammy main universe
deb-src http://mirror.example/ubuntu jammy main
deb http://mirror.example/ubuntu jammy-security main # comment
`;

describe('apt sources', () => {
  it('reads both formats', () => {
    assert.deepEqual(parseAptSources(DEB822), [
      { uri: 'http://mirror.example/debian', suite: 'bookworm' },
      { uri: 'http://mirror.example/debian', suite: 'bookworm-updates' },
      { uri: 'http://mirror.example/security', suite: 'bookworm-security' },
    ]);
    assert.deepEqual(parseAptSources(ONE_LINE), [
      { uri: 'http://mirror.example/ubuntu', suite: 'jammy' },
      { uri: 'http://mirror.example/ubuntu', suite: 'jammy-security' },
    ]);
  });

  it("takes the host's mirror for its own distribution only", () => {
    const host = { distribution: 'debian', codename: 'bookworm', sources: [DEB822] };
    const own = { archive: 'http://mirror.example/debian', security: 'http://mirror.example/security' };
    assert.deepEqual(chooseMirrors('debian', host), own);
    assert.equal(chooseMirrors('ubuntu', host), undefined, 'mmdebstrap knows the public ones');
    assert.equal(chooseMirrors('debian', { ...host, sources: [] }), undefined);
    assert.equal(
      renderSources('debian', 'trixie', own),
      'deb http://mirror.example/debian trixie main\n' +
        'deb http://mirror.example/debian trixie-updates main\n' +
        'deb http://mirror.example/security trixie-security main\n',
    );
  });

  it('reads os-release', () => {
    const release = parseOsRelease(
      'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n',
    );
    assert.equal(release.get('ID'), 'debian');
    assert.equal(release.get('VERSION_CODENAME'), 'bookworm');
  });
});

describe('bootstrap catalogue', () => {
  it('has a recipe for every name that it lists', () => {
    for (const name of bootstrapNames()) assert.ok(recipeOf(name));
  });

  it('knows other writings of a name', () => {
    assert.deepEqual(recipeOf('docker.io/library/debian:12'), recipeOf('debian:bookworm'));
    assert.equal(recipeOf('busybox:1.36').kind, 'busybox');
  });

  it('says what can be made, and what is spelled alike', () => {
    for (const name of ['debian:bookwrm', 'debian:bullseye', 'alpine:3.20', 'someone/debian:bookworm']) {
      assert.throws(
        () => recipeOf(name),
        (error) => error instanceof UserError && /busybox/.test(error.fix),
      );
    }
    assert.throws(
      () => recipeOf('debian:bookwrm'),
      (error) => error instanceof UserError && /Did you mean "debian:bookworm"/.test(error.fix),
    );
  });

  it('leaves documentation out of slim images', () => {
    const request = {
      distribution: 'debian',
      suite: 'trixie',
      architecture: 'arm64',
      target: '/t',
      keyring: '/k',
      sourcesFile: '/s',
    } as const;
    assert.deepEqual(mmdebstrapArgv({ ...request, isSlim: false }).slice(-3), ['trixie', '/t', '/s']);
    const publicMirror = mmdebstrapArgv({ ...request, isSlim: false, sourcesFile: undefined });
    assert.deepEqual(publicMirror.slice(-2), ['trixie', '/t']);
    assert.ok(mmdebstrapArgv({ ...request, isSlim: true }).includes('--dpkgopt=path-exclude=/usr/share/man/*'));
  });
});
