import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { copy, lastStage, plan, refused, run } from '../../../../test/support/plan.ts';

describe('COPY and ADD', () => {
  // shows: COPY, COPY --from, COPY --chown, COPY --chmod, COPY --link, COPY --parents, COPY --exclude
  it('plan what is copied, from where, and how', () => {
    const action = copy(
      'FROM base\nARG u=7\nCOPY --chown=$u:g --chmod=u=rwX,go=rX --link --exclude=*.md --exclude=.git a/ ../b /abs .\n',
    );
    assert.deepEqual(
      action.sources.map(({ path, origin, unpacks }) => [path, origin.kind, unpacks]),
      [
        ['a', 'context', false],
        ['b', 'context', false],
        ['abs', 'context', false],
      ],
    );
    assert.deepEqual([action.destination, action.intoDirectory, action.chown], ['/base', true, '7:g']);
    assert.deepEqual([action.isLinked, action.excludes, action.chmod?.kind], [true, ['*.md', '.git'], 'symbolic']);
    const [kept, below] = copy('FROM base\nCOPY --parents=true x/y/*.txt ./z/./q/**/r /to/').sources;
    assert.deepEqual([kept?.path, kept?.parentsBelow], ['x/y/*.txt', '']);
    assert.deepEqual([below?.path, below?.parentsBelow], ['z/q/**/r', 'z']);
    const from = plan('FROM base AS one\nFROM base\nCOPY --from=0 a /\nCOPY --from=ONE a /\nCOPY --from=base a /');
    assert.deepEqual(
      from.stages[1]?.steps.flatMap(({ action: one }) =>
        one.kind === 'copy' ? one.sources.map(({ origin }) => origin.kind) : [],
      ),
      ['stage', 'stage', 'image'],
    );
    refused('FROM base\nCOPY --from=${s} a /', /Dockerfile:2:6: --from=\$\{s\}: a variable cannot be used there/);
    refused('FROM base\nCOPY --link --link a /', /Dockerfile:2:13: the flag --link is given twice/);
    refused('FROM base\nCOPY --exclude=[a . /', /Dockerfile:2:6: --exclude=\[a is no valid pattern/);
    assert.equal(copy('FROM base\nCOPY --link=False a /').isLinked, false);
    const many = plan('FROM base\nCOPY a b c');
    assert.match(many.warnings[0]?.message ?? '', /"c" is taken as a folder/);
    assert.equal(
      lastStage('FROM base\nCOPY --parents --chmod=755 a <<B /c/\nB\n').steps.at(-1)?.createdBy,
      'COPY --parents --chmod=755 a <<B /c/ # buildkit',
    );
  });

  // shows: ADD, ADD of a URL, ADD of a git repository, ADD --checksum, ADD --keep-git-dir, ADD --unpack, ADD --chown, ADD --chmod, ADD --link, ADD --exclude
  it('ADD plans what is fetched and unpacked', () => {
    const sum = `sha256:${'a'.repeat(64)}`;
    const url = copy(
      `FROM base\nADD --checksum=${sum} --unpack --chown=1 --chmod=600 --link --exclude=x https://h/p/f%20g.tar?q=1 /`,
    );
    assert.deepEqual(url.sources, [
      {
        origin: { kind: 'url', url: 'https://h/p/f%20g.tar?q=1', fileName: 'f g.tar', checksum: sum },
        path: 'f g.tar',
        parentsBelow: undefined,
        unpacks: true,
      },
    ]);
    assert.deepEqual(
      copy('FROM base\nADD a.tar https://h/b.tar /').sources.map(({ unpacks }) => unpacks),
      [true, false],
    );
    assert.equal(copy('FROM base\nADD --unpack=false a.tar /').sources[0]?.unpacks, false);
    const git = (words: string): unknown => copy(`FROM base\nADD ${words} /`).sources[0]?.origin;
    const plain = {
      kind: 'git',
      ref: undefined,
      subdirectory: '',
      checksum: undefined,
      keepsGitDirectory: false,
      submodules: true,
    };
    for (const [words, expected] of [
      ['https://h/u/r.git', { ...plain, remote: 'https://h/u/r.git' }],
      [
        '--keep-git-dir git@h:u/r.git#v1:docs/',
        { ...plain, remote: 'git@h:u/r.git', ref: 'v1', subdirectory: 'docs', keepsGitDirectory: true },
      ],
      ['--checksum=be1f ssh://h/r#main', { ...plain, remote: 'ssh://h/r', ref: 'main', checksum: 'be1f' }],
      [
        'git://h/r.git?tag=v2&subdir=a&submodules=false',
        { ...plain, remote: 'git://h/r.git', ref: 'refs/tags/v2', subdirectory: 'a', submodules: false },
      ],
      [
        'https://h/r.git?branch=b&commit=ab12&keep-git-dir',
        { ...plain, remote: 'https://h/r.git', ref: 'refs/heads/b', checksum: 'ab12', keepsGitDirectory: true },
      ],
      ['https://h/r.git?checksum=ab12', { ...plain, remote: 'https://h/r.git', ref: 'ab12', checksum: 'ab12' }],
    ] as const) {
      assert.deepEqual(git(words), expected, words);
    }
    refused('FROM base\nCOPY git@h:u/r.git /', /COPY does not fetch/);
    refused('FROM base\nADD https://h/r.git?tag=a&branch=b /', /more than one branch/);
    refused('FROM base\nADD --checksum=abc a /', /Dockerfile:2:5: --checksum belongs to one source/);
    refused('FROM base\nADD --checksum=a1 https://h/r.git?commit=b1 /', /is not b1/);
  });
});

describe('RUN', () => {
  const mounts = (words: string): unknown => run(`FROM base AS one\nFROM base\nARG v=x\nRUN ${words} y`).mounts;
  const owner = (mode: number, uid = 0, gid = 0): object => ({ mode, uid, gid });

  // shows: RUN --mount, RUN --mount=type=bind, RUN --mount=type=bind,from, RUN --mount=type=bind,source, RUN --mount=type=bind,target, RUN --mount=type=bind,readonly, RUN --mount=type=bind,readwrite
  it('plans bind mounts', () => {
    const context = { kind: 'context' };
    assert.deepEqual(mounts('--mount=target=t --mount=type=bind,dst=/u,src=$v/s,rw,"from=one"'), [
      { type: 'bind', target: '/base/t', source: '.', origin: context, readOnly: true },
      { type: 'bind', target: '/u', source: 'x/s', origin: { kind: 'stage', index: 0 }, readOnly: false },
    ]);
    assert.deepEqual(mounts('--mount=type=bind,destination=/u,source=../s,rw=false,readonly'), [
      { type: 'bind', target: '/u', source: 's', origin: context, readOnly: true },
    ]);
    refused('FROM base\nRUN --mount=target=/ x', /cannot cover the root/);
  });

  // shows: RUN --mount=type=cache, RUN --mount=type=cache,id, RUN --mount=type=cache,target, RUN --mount=type=cache,readonly, RUN --mount=type=cache,readwrite, RUN --mount=type=cache,sharing, RUN --mount=type=cache,from, RUN --mount=type=cache,source, RUN --mount=type=cache,mode, RUN --mount=type=cache,uid, RUN --mount=type=cache,gid
  it('plans cache mounts', () => {
    assert.deepEqual(
      mounts(
        '--mount=type=cache,target=/c --mount=type=cache,target=/$v,id=i-$v,sharing=private,ro,mode=700,uid=1,gid=2,from=one,source=/s',
      ),
      [
        { type: 'cache', target: '/c', id: '/c', sharing: 'shared', readOnly: false, seed: undefined, ...owner(0o755) },
        {
          type: 'cache',
          target: '/x',
          id: 'i-x',
          sharing: 'private',
          readOnly: true,
          seed: { origin: { kind: 'stage', index: 0 }, source: 's' },
          ...owner(0o700, 1, 2),
        },
      ],
    );
    assert.equal(run('FROM base\nRUN --mount=type=cache,target=/c,rw=true,sharing=locked x').mounts[0]?.type, 'cache');
    refused('FROM base\nARG m=9\nRUN --mount=type=cache,target=/c,mode=$m x', /the cache mount has the mode "9"/);
  });

  // shows: RUN --mount=type=tmpfs, RUN --mount=type=tmpfs,target, RUN --mount=type=tmpfs,size, RUN --mount=type=secret, RUN --mount=type=secret,id, RUN --mount=type=secret,source, RUN --mount=type=secret,target, RUN --mount=type=secret,required, RUN --mount=type=secret,mode, RUN --mount=type=secret,uid, RUN --mount=type=secret,gid, RUN --mount=type=secret,env
  it('plans tmpfs and secrets', () => {
    assert.deepEqual(mounts('--mount=type=tmpfs,target=/t,size=1.5k --mount=type=tmpfs,target=/u'), [
      { type: 'tmpfs', target: '/t', sizeBytes: 1_536 },
      { type: 'tmpfs', target: '/u', sizeBytes: undefined },
    ]);
    const secret = { type: 'secret', env: undefined, required: false };
    assert.deepEqual(
      mounts(
        '--mount=type=secret,id=s --mount=type=secret,target=/r/k,required --mount=type=secret,source=s,env=E --mount=type=secret,id=s,env=E,target=f,mode=0440,uid=5,gid=6',
      ),
      [
        { ...secret, id: 's', target: '/run/secrets/s', ...owner(0o400) },
        { ...secret, id: 'k', target: '/r/k', required: true, ...owner(0o400) },
        { ...secret, id: 's', target: '', env: 'E', ...owner(0o400) },
        { ...secret, id: 's', target: '/base/f', env: 'E', ...owner(0o440, 5, 6) },
      ],
    );
  });

  // shows: RUN --mount=type=ssh, RUN --mount=type=ssh,id, RUN --mount=type=ssh,target, RUN --mount=type=ssh,required, RUN --mount=type=ssh,mode, RUN --mount=type=ssh,uid, RUN --mount=type=ssh,gid
  it('plans sockets of agents', () => {
    const ssh = { type: 'ssh', required: false };
    assert.deepEqual(
      mounts('--mount=type=ssh --mount=type=ssh,id=k,target=/a,required=true,mode=666,uid=1,gid=2 --mount=type=ssh'),
      [
        { ...ssh, id: 'default', target: '/run/buildkit/ssh_agent.0', isDefault: true, ...owner(0o600) },
        { ...ssh, id: 'k', target: '/a', required: true, isDefault: false, ...owner(0o666, 1, 2) },
        { ...ssh, id: 'default', target: '/run/buildkit/ssh_agent.2', isDefault: false, ...owner(0o600) },
      ],
    );
  });

  // shows: RUN --network, RUN --security, RUN --device
  it('plans networks and privileges, and refuses devices', () => {
    assert.equal(run('FROM base\nRUN --network=none x').network, 'none');
    assert.equal(run('FROM base\nRUN --network=default x', { networkMode: 'host' }).network, 'host');
    assert.equal(run('FROM base\nRUN --security=insecure x').security, 'insecure');
    refused('FROM base\nRUN --device=vendor.com/gpu x', /Dockerfile:2:5: RUN --device needs devices/);
    refused('FROM base\nRUN --network=hots x', /unknown network "hots"/);
  });
});
