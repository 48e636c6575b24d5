import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MountSpec } from '../runtime/index.ts';
import { parseCreateRequest } from './create-request.ts';
import { planMounts, sizeOf } from './mounts-spec.ts';

function mounts(hostConfig: object, anonymousVolumes: readonly string[] = []): readonly MountSpec[] {
  const parsed = parseCreateRequest({ HostConfig: hostConfig }).HostConfig ?? {};
  const shared: MountSpec = { type: 'volume', name: 'shared', target: '/s', readOnly: false, noCopy: false };
  return planMounts({ hostConfig: parsed, anonymousVolumes, mountsOf: () => [shared] }).map(({ mount }) => mount);
}

describe('binds', () => {
  it('are folders of the host, or named volumes', () => {
    assert.deepEqual(mounts({ Binds: ['/srv/../data:/d:ro', 'cache:/c:nocopy', '/x:/y:rw,rslave'] }), [
      { type: 'bind', source: '/data', target: '/d', createSource: true, readOnly: true },
      { type: 'volume', name: 'cache', target: '/c', readOnly: false, noCopy: true },
      { type: 'bind', source: '/x', target: '/y', createSource: true, readOnly: false, propagation: 'rslave' },
    ]);
  });

  for (const [text, message] of [
    ['./x:/y', /includes invalid characters for a local volume name/],
    ['/x:y', /mount path must be absolute/],
    ['/x:/', /destination can't be '\/'/],
    ['/x:/y:what', /invalid mode: what/],
    ['/x:/y:ro:z', /invalid volume specification/],
  ] as const) {
    it(`refuses ${text}`, () => assert.throws(() => mounts({ Binds: [text] }), message));
  }
});

describe('mounts', () => {
  it('come in three types', () => {
    const Mounts = [
      { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true },
      { Type: 'volume', Source: 'vol', Target: '/v', VolumeOptions: { NoCopy: true } },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1024, Mode: 0o700 } },
    ];
    assert.deepEqual(mounts({ Mounts }), [
      { type: 'bind', source: '/a', target: '/b', readOnly: true },
      { type: 'volume', name: 'vol', target: '/v', readOnly: false, noCopy: true },
      { type: 'tmpfs', target: '/t', sizeBytes: 1024, mode: 0o700 },
    ]);
  });

  it('refuses two at one place', () => {
    assert.throws(() => mounts({ Binds: ['/a:/x', '/b:/x/'] }), /Duplicate mount point: \/x/);
  });

  it('lets what is explicit win over inherited and anonymous volumes', () => {
    const found = mounts({ Binds: ['/a:/s'], VolumesFrom: ['other:ro'] }, ['/s', '/anonymous']);
    assert.deepEqual(
      found.map((mount) => [mount.type, mount.target]),
      [
        ['bind', '/s'],
        ['volume', '/anonymous'],
      ],
    );
  });

  it('reads tmpfs options', () => {
    assert.deepEqual(mounts({ Tmpfs: { '/t': 'size=64m,mode=1777,uid=7,exec' } }), [
      { type: 'tmpfs', target: '/t', sizeBytes: 64 << 20, mode: 0o1777, options: ['uid=7', 'exec'] },
    ]);
  });

  it('never fails but with an error for the user', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 3 }), (Binds) => {
        try {
          for (const mount of mounts({ Binds })) assert.ok(mount.target.startsWith('/') && mount.target !== '/');
        } catch (error) {
          assert.equal((error as Error).name, 'UserError');
        }
      }),
    );
  });
});

it('reads sizes as Docker writes them', () => {
  assert.deepEqual(['1k', '10m', '1.5G', '7', 'x'].map(sizeOf), [1024, 10 << 20, 1.5 * 2 ** 30, 7, undefined]);
});
