import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';
import { type Answer, startFileServer, startGitServer } from '../support/file-server.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

describe('ADD of what is elsewhere', { skip, timeout: 540_000 }, () => {
  let bench: BuildBench;
  before(async () => {
    bench = await openBuildBench();
  });
  after(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  const build = (
    lines: readonly string[],
    o: Parameters<BuildBench['build']>[0] = {},
  ): ReturnType<BuildBench['build']> =>
    bench.build({ ...o, files: { Dockerfile: ['FROM busybox', ...lines, ''].join('\n') } });

  describe('a URL', () => {
    // shows: ADD of a URL
    it('gives a file with the time of the server, readable by root', async () => {
      await using server = await startFileServer(() => ({
        body: 'fetched',
        headers: { 'last-modified': 'Sun, 09 Sep 2001 01:46:40 GMT' },
      }));
      const { output } = await build([
        `ADD ${server.url}/dir/na%20me.txt?x=y /in/`,
        `ADD --chmod=644 --chown=3:4 ${server.url}/ /own`,
        'RUN cat /in/* /own; echo; ls /in; stat -c "%a %u:%g %Y" /in/* /own',
      ]);
      assert.equal(output, 'fetchedfetched\nna me.txt\n600 0:0 1000000000\n644 3:4 1000000000\n');
    });

    it('that has not changed costs a conditional request, and a changed one is fetched', async () => {
      let etag = '"one"';
      await using server = await startFileServer((request) =>
        request.headers['if-none-match'] === etag ? { status: 304 } : { body: `body ${etag}`, headers: { etag } },
      );
      const lines = [`ADD ${server.url}/file /file`, 'RUN cat /file'];
      assert.equal((await build(lines)).output, 'body "one"');
      const again = await build(lines);
      assert.deepEqual(again.executed, []);
      const elsewhere = await build([`ADD ${server.url}/file /other`, 'RUN cat /other']);
      assert.equal(elsewhere.output, 'body "one"');
      etag = '"two"';
      assert.equal((await build(lines)).output, 'body "two"');
      assert.deepEqual(server.log, ['GET /file 200', 'GET /file 304', 'GET /file 304', 'GET /file 200']);
    });

    // shows: ADD --checksum
    it('with a checksum is verified as it comes, and then not asked for again', async () => {
      await using server = await startFileServer(() => ({ body: 'exact' }));
      const digest = createHash('sha256').update('exact').digest('hex');
      const lines = [`ADD --checksum=sha256:${digest} ${server.url}/f /f`, 'RUN cat /f'];
      assert.equal((await build(lines)).output, 'exact');
      await build(lines, { noCache: true });
      assert.equal(server.log.length, 1);
      const other = build([`ADD --checksum=sha256:${'0'.repeat(64)} ${server.url}/g /g`]);
      await assert.rejects(other, isError('checksum-mismatch', new RegExp(digest)));
      const left = readdirSync(join(bench.scope.root, 'engine/build/downloads'));
      assert.ok(
        left.every((name) => !name.startsWith('partial')),
        left.join(' '),
      );
    });

    it('is part of the build cache, and goes with it', async () => {
      await using server = await startFileServer(() => ({ body: 'kept' }));
      await build([`ADD ${server.url.replace('//', '//me:hush@')}/kept /f`]);
      const records = (await bench.builder.cacheUsage()).filter(({ type }) => type === 'source.http');
      assert.ok(
        records.some(({ description, sizeBytes }) => description === `ADD ${server.url}/kept` && sizeBytes === 4),
      );
      await bench.builder.pruneCache({ all: true });
      assert.deepEqual(
        (await bench.builder.cacheUsage()).filter(({ type }) => type === 'source.http'),
        [],
      );
      await build([`ADD ${server.url.replace('//', '//me:hush@')}/kept /f`]);
      assert.equal(server.log.length, 2);
    });

    it('leads on, and keeps passwords to its own host', async () => {
      const seen: string[] = [];
      await using other = await startFileServer((request) => {
        seen.push(`other ${request.headers.authorization ?? 'nothing'}`);
        return { body: 'at last' };
      });
      await using server = await startFileServer((request): Answer => {
        seen.push(`${request.url} ${request.headers.authorization ?? 'nothing'}`);
        if (request.url === '/a') return { status: 302, headers: { location: '/b' } };
        return request.url === '/b'
          ? { status: 307, headers: { location: `${other.url}/c` } }
          : { status: 302, headers: { location: '/loop' } };
      });
      const url = server.url.replace('//', '//me:p%40ss@');
      assert.equal((await build([`ADD ${url}/a /f`, 'RUN cat /f'])).output, 'at last');
      const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
      assert.deepEqual(seen, [`/a ${basic}`, `/b ${basic}`, 'other nothing']);
      await assert.rejects(build([`ADD ${url}/loop /f`]), (error: unknown) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.code, 'url-unreachable');
        assert.match(error.message, /leads on more than 10 times/);
        assert.doesNotMatch(error.message.split('\n')[0] ?? '', /p%40ss|p@ss/);
        return true;
      });
    });

    it('that is not there, or ends early, leaves nothing', async () => {
      await using server = await startFileServer((request) =>
        request.url === '/short'
          ? { body: 'short', headers: { 'content-length': '9', connection: 'close' } }
          : request.url === '/'
            ? { body: 'nameless' }
            : undefined,
      );
      await assert.rejects(build([`ADD ${server.url}/none /f`]), isError('url-unreachable', /Dockerfile:2:1.*404/));
      await assert.rejects(build([`ADD ${server.url}/short /f`]), isError('url-unreachable', /short/));
      await assert.rejects(build(['ADD http://127.0.0.1:1/x /f']), isError('url-unreachable', /ECONNREFUSED/));
      await assert.rejects(build([`ADD ${server.url}/ /folder/`]), isError('url-without-name', /no file name/));
    });

    // shows: ADD --unpack
    it('of an archive is unpacked only when that is asked for', async () => {
      const context = bench.context({ 'in/added': 'yes' });
      const body = execFileSync('tar', ['-cz', '-C', join(context, 'in'), 'added']);
      await using server = await startFileServer(() => ({ body }));
      const { output } = await build([
        `ADD ${server.url}/a.tgz /one/`,
        `ADD --unpack=true ${server.url}/a.tgz /two/`,
        'RUN ls /one /two; cat /two/added',
      ]);
      assert.equal(output, '/one:\na.tgz\n\n/two:\nadded\nyes');
    });

    it('ends when the build is cancelled', async () => {
      await using server = await startFileServer(() => 'silence');
      const cancel = new AbortController();
      setTimeout(() => cancel.abort(), 300);
      await assert.rejects(
        build([`ADD ${server.url}/f /f`], { signal: cancel.signal }),
        isError('build-cancelled', /cancelled/),
      );
    });
  });

  describe('a git repository', () => {
    let folder: string;
    let git: (...words: readonly string[]) => string;
    const at = (name: string): string => join(folder, name);
    before(() => {
      folder = join(bench.root, 'git');
      mkdirSync(at('work/sub/dir'), { recursive: true });
      git = (...words) =>
        execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', '-C', at('work'), ...words])
          .toString()
          .trim();
      git('init', '--quiet', '--initial-branch=main');
      writeFileSync(at('work/file'), 'one');
      writeFileSync(at('work/sub/dir/deep'), 'deep');
      symlinkSync('/etc', at('work/sub/out'));
      git('add', '.');
      git('commit', '--quiet', '-m', 'one');
      git('tag', '-a', 'v1', '-m', 'v1');
      git('checkout', '--quiet', '-b', 'topic');
      writeFileSync(at('work/file'), 'two');
      git('commit', '--quiet', '-am', 'two');
      git('checkout', '--quiet', 'main');
      execFileSync('git', ['clone', '--quiet', '--bare', at('work'), at('repo.git')], { stdio: 'ignore' });
    });

    // shows: ADD of a git repository, ADD --keep-git-dir
    it('is cloned by branch, tag, commit and folder', async () => {
      await using server = await startGitServer({ folder });
      const url = `${server.url}/repo.git`;
      const { output } = await build([
        `ADD ${url} /main`,
        `ADD ${url}#topic /topic`,
        `ADD ${url}#v1:sub/dir /deep/`,
        `ADD --keep-git-dir=true ${url}#${git('rev-parse', 'topic')} /kept/`,
        'RUN cat /main/file /topic/file /deep/deep /kept/file; echo; ls -a /main /deep; test -d /kept/.git && echo kept',
      ]);
      assert.equal(output, 'onetwodeeptwo\n/deep:\n.\n..\ndeep\n\n/main:\n.\n..\nfile\nsub\nkept\n');
    });

    it('is cached by its commit', async () => {
      await using server = await startGitServer({ folder });
      const lines = [`ADD ${server.url}/repo.git#topic /t`, 'RUN cat /t/file'];
      await build(lines);
      server.log.length = 0;
      assert.deepEqual((await build(lines)).executed, []);
      assert.ok(!server.log.some((line) => line.includes('git-receive')), server.log.join('\n'));
      git('checkout', '--quiet', 'topic');
      writeFileSync(at('work/file'), 'three');
      git('commit', '--quiet', '-am', 'three');
      git('push', '--quiet', at('repo.git'), 'topic');
      assert.equal((await build(lines)).output, 'three');
    });

    // shows: ADD --checksum
    it('with a checksum is another commit or none', async () => {
      await using server = await startGitServer({ folder });
      const commit = git('rev-parse', 'v1^{commit}');
      const add = (checksum: string): ReturnType<BuildBench['build']> =>
        build([`ADD --checksum=${checksum} ${server.url}/repo.git#v1 /c`, 'RUN cat /c/file']);
      assert.equal((await add(commit.slice(0, 12))).output, 'one');
      await assert.rejects(add('0123456789abcdef'), isError('git-checksum', new RegExp(commit)));
      await assert.rejects(build([`ADD ${server.url}/repo.git#nosuch /c`]), isError('git-ref-unknown', /nosuch/));
      await assert.rejects(build([`ADD ${server.url}/none.git /c`]), isError('git-failed', /none\.git/));
    });

    it('takes credentials from the address or a secret, and never shows them', async () => {
      await using server = await startGitServer({ folder, credentials: 'x-access-token:hush' });
      const address = server.url.replace('//', '//x-access-token:hush@');
      assert.equal((await build([`ADD ${address}/repo.git#v1 /named`, 'RUN cat /named/file'])).output, 'one');
      const lines = [`ADD ${server.url}/repo.git#v1 /secret`, 'RUN cat /secret/file'];
      assert.equal((await build(lines, { secrets: { GIT_AUTH_TOKEN: Buffer.from('hush') } })).output, 'one');
      await assert.rejects(build([`ADD ${server.url}/repo.git#v1 /e`]), isError('git-failed', /repo\.git/));
    });

    it('runs no hook, and no submodule of a local path', async () => {
      const evil = join(folder, 'evil');
      const run = (...words: readonly string[]): void =>
        void execFileSync(
          'git',
          ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always', '-C', evil, ...words],
          { stdio: 'ignore' },
        );
      mkdirSync(evil);
      run('init', '--quiet', '--initial-branch=main');
      run('submodule', 'add', at('repo.git'), 'inner');
      run('commit', '-m', 'evil');
      execFileSync('git', ['clone', '--quiet', '--bare', evil, at('evil.git')], { stdio: 'ignore' });
      await using server = await startGitServer({ folder });
      await assert.rejects(
        build([`ADD ${server.url}/evil.git /e`]),
        isError('git-failed', /transport 'file' not allowed/),
      );
      const { output } = await build([`ADD ${server.url}/evil.git?submodules=false /e`, 'RUN ls -A /e /e/inner']);
      assert.equal(output, '/e:\n.gitmodules\ninner\n\n/e/inner:\n');
    });

    it('gives no folder outside of itself', async () => {
      await using server = await startGitServer({ folder });
      await assert.rejects(
        build([`ADD ${server.url}/repo.git#v1:sub/out /e`, 'RUN ls /e']),
        isError('copy-source-missing', /./),
      );
    });
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
