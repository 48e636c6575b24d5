import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

const LIST = 'find . | sort | tail -n +2';

describe('COPY and its flags', { skip, timeout: 540_000 }, () => {
  let bench: BuildBench;
  before(async () => {
    bench = await openBuildBench();
  });
  after(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  let lists = 0;
  /** Names below /to, one a line. The list has a number: the same files of the same second are one layer, whose list is kept. */
  async function names(instructions: string, files: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const Dockerfile = `FROM busybox\nWORKDIR /to\n${instructions}\nRUN ${LIST} # ${++lists}\n`;
    const { output } = await bench.build({
      files: { ...files, Dockerfile, '.dockerignore': 'Dockerfile\n.dockerignore' },
    });
    return output
      .trim()
      .split('\n')
      .map((name) => name.slice(2));
  }

  const TREE = {
    'a/b/c/d/foo': '1',
    'a/b/c/d/e/bay': '2',
    'a/b2/c/d/e/bar': '3',
    'a/b/c2/d/e/baz': '4',
    'a/b/c2/d/e2/baz': '5',
    'top.txt': '6',
    'hom.txt': '7',
    'home.md': '8',
  };

  // shows: COPY --parents, COPY --exclude
  describe('--parents', () => {
    for (const [instruction, expected] of [
      ['COPY --parents a/b/c/d/foo top.txt /to/', ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/b/c/d/foo', 'top.txt']],
      ['COPY --parents ./a/b/./c/d /to/', ['c', 'c/d', 'c/d/e', 'c/d/e/bay', 'c/d/foo']],
      ['COPY --parents /a/./b/./c/d/foo /to', ['b', 'b/c', 'b/c/d', 'b/c/d/foo']],
      [
        'COPY --parents a/./*/c .',
        [
          'b',
          'b/c',
          'b/c/d',
          'b/c/d/e',
          'b/c/d/e/bay',
          'b/c/d/foo',
          'b2',
          'b2/c',
          'b2/c/d',
          'b2/c/d/e',
          'b2/c/d/e/bar',
        ],
      ],
      ['COPY --parents a/b*/./c/**/e .', ['c', 'c/d', 'c/d/e', 'c/d/e/bar', 'c/d/e/bay']],
      [
        'COPY --parents a/b/c*/./d/**/baz a/b*/./c/**/bar .',
        ['c', 'c/d', 'c/d/e', 'c/d/e/bar', 'd', 'd/e', 'd/e/baz', 'd/e2', 'd/e2/baz'],
      ],
      ['COPY --parents **/foo ./', ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/b/c/d/foo']],
      ['COPY --parents --exclude=**/e a/./b/c .', ['b', 'b/c', 'b/c/d', 'b/c/d/foo']],
    ] as const) {
      it(instruction, async () => assert.deepEqual(await names(instruction, TREE), expected));
    }

    it('keeps the modes of folders on the way, and leaves those that are there', async () => {
      const context = bench.context({ 'p/q/file': '' });
      chmodSync(join(context, 'p'), 0o700);
      chmodSync(join(context, 'p/q'), 0o711);
      const { output } = await bench.build({
        context: { kind: 'directory', path: context },
        dockerfileText:
          'FROM busybox\nRUN mkdir -m 750 -p /to/p\nCOPY --parents p/q/file /to/\nRUN stat -c %a /to/p /to/p/q\n',
      });
      assert.equal(output, '750\n711\n');
    });

    it('says what is not there', async () => {
      await assert.rejects(
        names('COPY --parents a/nothing /to/', TREE),
        isError('copy-source-missing', /"a\/nothing"/),
      );
    });
  });

  describe('--exclude', () => {
    for (const [instruction, expected] of [
      ['COPY --exclude=*.txt hom* /to/', ['home.md']],
      [
        'COPY --exclude=*/b2 --exclude=**/e* . .',
        ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/b/c/d/foo', 'a/b/c2', 'a/b/c2/d', 'hom.txt', 'home.md', 'top.txt'],
      ],
      ['COPY --exclude=* a /to/a', ['a']],
      [
        'COPY --exclude=b --exclude=!b/c/d/foo a .',
        ['b', 'b/c', 'b/c/d', 'b/c/d/foo', 'b2', 'b2/c', 'b2/c/d', 'b2/c/d/e', 'b2/c/d/e/bar'],
      ],
    ] as const) {
      it(instruction, async () => assert.deepEqual(await names(instruction, TREE), expected));
    }
  });

  // shows: COPY --chmod, COPY --chown
  it('--chmod changes modes by letters, --chown knows the names of the image', async () => {
    const context = bench.context({ 'd/run': '', 'd/plain': '' });
    chmodSync(join(context, 'd/run'), 0o750);
    chmodSync(join(context, 'd/plain'), 0o640);
    const { output } = await bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText: [
        'FROM busybox',
        'RUN echo "app:x:77:88::/:/bin/sh" >> /etc/passwd && echo "web:x:99:" >> /etc/group',
        'COPY --chmod=u=rwX,go=rX --chown=app:web d /letters',
        'COPY --chmod=g+s,o-rwx,a+x --chown=app d/plain d/run /more/',
        'COPY --chmod=1777 --chown=5 d /octal',
        'RUN stat -c "%n %a %u:%g" /letters /letters/* /more /more/* /octal /octal/run',
      ].join('\n'),
    });
    assert.deepEqual(output.trim().split('\n'), [
      '/letters 755 77:99',
      '/letters/plain 644 77:99',
      '/letters/run 755 77:99',
      '/more 755 77:88',
      '/more/plain 2751 77:88',
      '/more/run 2751 77:88',
      '/octal 1777 5:5',
      '/octal/run 1777 5:5',
    ]);
    await assert.rejects(names('COPY --chown=nobody-knows top.txt /', TREE), isError('owner-unknown', /nobody-knows/));
  });

  // shows: COPY --link
  it('--link gives a layer that any base can have below it', async () => {
    const dockerfile = (base: string): string =>
      [
        'FROM busybox',
        `RUN mkdir /real && ln -s /real /to && echo ${base} > /base`,
        'COPY --link --chown=3:4 f d /to/in/',
        'RUN cat /base /to/in/f; readlink /to || echo a folder; ls /real',
      ].join('\n');
    const files = { f: 'linked\n', 'd/g': '' };
    const one = await bench.build({ files: { ...files, Dockerfile: dockerfile('one') } });
    assert.equal(one.output, 'one\nlinked\na folder\n');
    const two = await bench.build({ files: { ...files, Dockerfile: dockerfile('two') } });
    assert.equal(two.output, 'two\nlinked\na folder\n');
    assert.ok(!two.executed.some((text) => text.startsWith('COPY')), two.executed.join('\n'));
    assert.equal(one.image.config.rootfs.diff_ids[2], two.image.config.rootfs.diff_ids[2]);
  });

  it('--link keeps what is below its folders, and takes owners by name from the image', async () => {
    const { output } = await bench.build({
      files: {
        Dockerfile:
          'FROM busybox\nRUN mkdir -p /srv/deep && echo kept > /srv/deep/old && echo "app:x:77:88::/:/bin/sh" >> /etc/passwd\nCOPY --link --chown=app f /srv/deep/new\nRUN cat /srv/deep/old; stat -c %u:%g /srv/deep/new\n',
        f: '',
      },
    });
    assert.equal(output, 'kept\n77:88\n');
  });

  it('keeps attributes, holes, pipes and names that are no text', async () => {
    const context = bench.context({ 'tree/capable': 'x', 'tree/coloured': 'y' });
    const tree = join(context, 'tree');
    execFileSync('setcap', ['cap_net_raw+ep', join(tree, 'capable')]);
    execFileSync('setfattr', ['-n', 'user.colour', '-v', '0x00ff', join(tree, 'coloured')]);
    writeFileSync(join(tree, 'holes'), 'start');
    truncateSync(join(tree, 'holes'), 64 * 1024 * 1024);
    execFileSync('mkfifo', [join(tree, 'pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/raw-`), Buffer.from([0xff, 0x0a, 0xfe])]), 'odd');
    symlinkSync('nowhere', join(tree, 'dangling'));
    mkdirSync(join(tree, 'ignored'));
    const { image } = await bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText:
        'FROM scratch\nCOPY tree/ /\nCOPY --chown=1:2 tree/capable tree/coloured tree/holes tree/pipe /own/\n',
    });
    const [first, second] = bench.images.layersOf(image.id).map(({ directory }) => directory);
    const sh = (script: string): string => execFileSync('sh', ['-c', script], { encoding: 'latin1' }).trim();
    for (const directory of [first, `${second}/own`]) {
      assert.match(sh(`getcap ${directory}/capable`), /cap_net_raw=?\+?ep/);
      assert.match(sh(`getfattr -d -e hex --absolute-names ${directory}/coloured`), /user.colour=0x00ff/);
      assert.ok(Number(sh(`stat -c %b ${directory}/holes`)) < 100, 'holes stay holes');
      assert.equal(sh(`stat -c %F ${directory}/pipe`), 'fifo');
    }
    assert.equal(sh(`cat ${first}/raw-*`), 'odd');
    assert.equal(sh(`readlink ${first}/dangling`), 'nowhere');
    assert.equal(sh(`stat -c %u:%g ${second}/own/capable`), '1:2');
  });

  it('makes a stage anew whose file got an attribute', async () => {
    const dockerfile = (value: string): string =>
      `FROM scratch AS a\nCOPY f-${value} /f\nFROM scratch\nCOPY --from=a /f /g\n`;
    const context = bench.context({ 'f-1': 'same', 'f-2': 'same' });
    execFileSync('setfattr', ['-n', 'user.n', '-v', '2', join(context, 'f-2')]);
    const layer = async (value: string): Promise<string> => {
      const { image } = await bench.build({
        context: { kind: 'directory', path: context },
        dockerfileText: dockerfile(value),
      });
      return bench.images.layersOf(image.id).at(-1)!.diffId;
    };
    assert.notEqual(await layer('1'), await layer('2'));
  });

  // shows: ADD, ADD --unpack, ADD --chown
  it('unpacks archives, or with --unpack=false does not', async () => {
    const context = bench.context({ 'in/added': 'yes' });
    execFileSync('tar', ['-czf', join(context, 'a.tgz'), '-C', join(context, 'in'), '.']);
    const { output } = await bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText:
        'FROM busybox\nADD a.tgz /one/\nADD --unpack=false a.tgz /two/\nADD --unpack --chown=9:9 a.tgz /three\nRUN cat /one/added; ls /two; stat -c %u:%g /three/added\n',
    });
    assert.equal(output, 'yesa.tgz\n9:9\n');
  });
});

function isError(code: string, pattern: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  };
}
