import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DebianRegistry, USER, whyNoRegistry } from '../support/debian-registry.ts';
import { cannotRunDockerCli, openTestEngine, type TestEngine } from '../support/docker-engine.ts';

/** The real docker CLI moves images between Bascule's engine and Debian's registry. */
describe('the docker CLI and a registry', { skip: cannotRunDockerCli() || whyNoRegistry() }, () => {
  let engine: TestEngine;
  const registry = new DebianRegistry('basic');
  before(async () => {
    await registry.start();
    engine = await openTestEngine();
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });
  const must = (...words: string[]): Promise<string> => engine.must(...words);

  it('is let in after docker login only', async () => {
    await must('tag', 'busybox', `${registry.host}/a/box:1`);
    const stranger = await engine.cli('push', `${registry.host}/a/box:1`);
    assert.equal(stranger.exitCode, 1);
    assert.match(stranger.stderr, /refused access/);
    const wrong = await engine.cli('login', '-u', USER.username, '-p', 'wrong', registry.host);
    assert.equal(wrong.exitCode, 1, wrong.stdout);
    assert.match(await must('login', '-u', USER.username, '-p', USER.password, registry.host), /Login Succeeded/);
  });

  it('pushes, pulls what is gone, and sees bars, digests and what is up to date', async () => {
    const name = `${registry.host}/a/box:1`;
    await must('tag', 'busybox', name);
    const pushed = await must('push', name);
    assert.match(
      pushed,
      /The push refers to repository \[127\.0\.0\.1:\d+\/a\/box\][^]*: Pushed[^]*1: digest: sha256:\w{64} size: \d+/,
    );
    assert.match(await must('push', name), /: Already exists|: Layer already exists/);
    const id = await must('images', '-q', '--no-trunc', name);
    await must('rmi', name, 'busybox');
    assert.equal(await must('images', '-q', '--no-trunc'), '');
    const pulled = await must('pull', name);
    assert.match(
      pulled,
      /1: Pulling from a\/box[^]*: Pull complete[^]*Digest: sha256:[^]*Status: Downloaded newer image for /,
    );
    assert.match(await must('pull', name), /Status: Image is up to date for /);
    assert.equal(await must('images', '-q', '--no-trunc', name), id);
    const digest = await must('inspect', '--format', '{{index .RepoDigests 0}}', name);
    assert.match(digest, /\/a\/box@sha256:/);
    await must('pull', digest);
    await must('tag', name, 'busybox');
  });

  it('pulls by itself what docker run and FROM name', async () => {
    const name = `${registry.host}/a/self:1`;
    await must('tag', 'busybox', name);
    await must('push', name);
    await must('rmi', name);
    assert.equal(await must('run', '--rm', name, 'echo', 'ran'), 'ran');
    await must('rmi', name);
    const folder = join(engine.folder, 'context');
    mkdirSync(folder);
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${name}\nRUN echo built > /file\n`);
    await must('build', '-t', 'built', folder);
    assert.equal(await must('run', '--rm', 'built', 'cat', '/file'), 'built');
  });

  it('pushes all tags, pulls all tags, and asks for one without pulling it', async () => {
    const name = `${registry.host}/a/many`;
    for (const tag of ['1', '2']) await must('tag', 'busybox', `${name}:${tag}`);
    await must('push', '-a', name);
    for (const tag of ['1', '2']) await must('rmi', `${name}:${tag}`);
    await must('pull', '-a', name);
    assert.equal((await must('images', '-q', name)).split('\n').length, 2);
    const { auths } = JSON.parse(readFileSync(join(engine.folder, 'config/config.json'), 'utf8')) as { auths: object };
    assert.deepEqual(Object.keys(auths), [registry.host]);
    await must('logout', registry.host);
    const refused = await engine.cli('pull', `${name}:1`);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /refused access to the manifest of .*a\/many:1/);
    const { status } = await engine.request('GET', `/distribution/${name}:1/json`);
    assert.equal(status, 403);
  });

  it('says what there is not, and who is not there', async () => {
    await must('login', '-u', USER.username, '-p', USER.password, registry.host);
    const absent = await engine.cli('pull', `${registry.host}/a/nosuch:1`);
    assert.match(absent.stderr, /manifest for .*nosuch:1 not found: manifest unknown/);
    const run = await engine.cli('run', '--rm', '127.0.0.1:1/nosuch:1', 'true');
    assert.equal(run.exitCode, 125);
    assert.match(run.stderr, /dial tcp 127\.0\.0\.1:1: connect: connection refused/);
  });
});
