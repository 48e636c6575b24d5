import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RolloutOutcome } from '../../src/delivery/rollout/index.ts';
import { UserError } from '../../src/lib/errors.ts';
import { type DeliveryScene, openScene } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { output, textAt } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** A web server over a volume that it only reads, and a service of which nothing runs: jobs have its image and its volume. */
function file(o: { readonly name: string; readonly port: number; readonly version: number; readonly jobs: string }) {
  return `
name: ${o.name}
x-bascule:
  health_timeout: 15s
  keep: 1m
  jobs: ${o.jobs}
services:
  web:
    image: busybox
    command: ["httpd", "-f", "-p", "8000", "-h", "/data"]
    environment: {VERSION: "${o.version}"}
    ports: ["${o.port}:8000"]
    volumes: ["data:/data:ro"]
    stop_grace_period: 1s
    x-bascule: {smoke: {path: /page, timeout: 1s}}
  tool:
    image: busybox
    command: ["true"]
    environment: {GREETING: "hello-${o.version}"}
    volumes: ["data:/data"]
    stop_grace_period: 1s
    deploy: {replicas: 0}
    x-bascule: {stateful: false}
volumes: {data: {}}
`;
}

const job = (script: string, more: string): string =>
  `{service: tool, command: ["sh", "-c", ${JSON.stringify(script.replaceAll('$', '$$$$'))}], ${more}}`;
const PAGE = job('echo page > /data/page; echo "$GREETING" >> /data/runs; echo seeded', 'at: before-start');

for (const engine of await enginesUnderTest()) {
  describe(`jobs over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
    let running: Awaited<ReturnType<typeof engine.open>>;
    before(async () => {
      running = await engine.open();
    });
    after(async () => {
      await running[Symbol.asyncDispose]();
    });

    it('run to their end at their moments, once a release, and leave no container', async () => {
      await using scene = await openScene(running);
      const port = await freePort();
      const jobs = `{seed: ${PAGE}, check: ${job('test -s /data/page && echo checked', 'at: before-switch')}, tidy: ${job('echo tidied', 'at: after-switch')}}`;
      for (const version of [1, 2]) await scene.deploy(file({ name: 'jobs', port, version, jobs }));
      assert.equal(await textAt(port).catch(() => ''), await textAt(port));
      assert.deepEqual(jobLines(scene), [
        'seed seeded',
        'check checked',
        'tidy tidied',
        'seed seeded',
        'check checked',
        'tidy tidied',
      ]);
      assert.equal(await output(scene, 'jobs', ['cat', '/data/runs']), 'hello-1\nhello-2');
      assert.deepEqual(await jobContainers(scene, 'jobs'), []);
      await scene.rollback('jobs');
      assert.equal(await output(scene, 'jobs', ['cat', '/data/runs']), 'hello-1\nhello-2', 'a rollback runs none');
    });

    it('are tried again as declared; one that fails leaves the old release serving, with its last lines', async () => {
      await using scene = await openScene(running);
      const port = await freePort();
      await scene.deploy(file({ name: 'fail', port, version: 1, jobs: `{seed: ${PAGE}}` }));
      const bad = job('echo try >> /data/tries; echo "no such column"; exit 3', 'at: before-switch, retries: 1');
      const failure = await failureOf(
        scene.deploy(file({ name: 'fail', port, version: 2, jobs: `{seed: ${PAGE}, bad: ${bad}}` })),
      );
      assert.equal(failure.failure?.code, 'job-failed');
      assert.match(failure.failure?.reason ?? '', /"bad" of release 2 failed: it ended with exit code 3/);
      assert.deepEqual(failure.failure?.logs, ['no such column']);
      assert.equal(await output(scene, 'fail', ['cat', '/data/tries']), 'try\ntry');
      assert.equal((await scene.delivery.ps('fail')).release, 1);
      assert.deepEqual(await jobContainers(scene, 'fail'), []);
    });

    it('are stopped when their time is over, and when the rollout is cancelled', async () => {
      await using scene = await openScene(running);
      const port = await freePort();
      const slow = (more: string): string => `{seed: ${PAGE}, slow: ${job('echo begun; sleep 60', more)}}`;
      await scene.deploy(file({ name: 'slow', port, version: 1, jobs: `{seed: ${PAGE}}` }));
      const late = await failureOf(
        scene.deploy(file({ name: 'slow', port, version: 2, jobs: slow('at: before-switch, timeout: 1s') })),
      );
      assert.match(late.failure?.reason ?? '', /has not ended after 1.0 s/);
      const cancel = new AbortController();
      const deploy = scene.deploy(
        file({ name: 'slow', port, version: 3, jobs: slow('at: before-switch') }),
        {},
        cancel.signal,
      );
      void waitFor(() => jobLines(scene).filter((line) => line === 'slow begun').length === 2, {
        timeoutMs: 30_000,
        what: 'the job runs',
      }).then(() => cancel.abort());
      assert.equal((await failureOf(deploy)).failure?.cancelled, true);
      assert.deepEqual(await jobContainers(scene, 'slow'), []);
    });

    it('that expand must leave the old release working, else no traffic moves', async () => {
      await using scene = await openScene(running);
      const port = await freePort();
      await scene.deploy(file({ name: 'expand', port, version: 1, jobs: `{seed: ${PAGE}}` }));
      const breaks = job('mv /data/page /data/renamed', 'at: before-switch, migration: expand');
      const { failure } = await failureOf(
        scene.deploy(file({ name: 'expand', port, version: 2, jobs: `{breaks: ${breaks}}` })),
      );
      assert.equal(failure?.code, 'migration-breaks-serving');
      assert.match(failure?.reason ?? '', /no longer works after the migration "breaks": expand-web-r1-1/);
      assert.equal((await scene.delivery.ps('expand')).release, 1);
    });

    it('that contract shut the way back, even when they fail', async () => {
      await using scene = await openScene(running);
      const port = await freePort();
      const contract = (script: string): string =>
        `{seed: ${PAGE}, drop: ${job(script, 'at: after-switch, migration: contract')}}`;
      await scene.deploy(file({ name: 'contract', port, version: 1, jobs: `{seed: ${PAGE}}` }));
      await assert.rejects(
        scene.deploy(file({ name: 'contract', port, version: 2, jobs: contract('exit 1') })),
        (error) => {
          assert.ok(error instanceof UserError && error.code === 'job-failed');
          return /release 2 of "contract" serves, but the job "drop"/.test(error.message);
        },
      );
      assert.equal((await scene.delivery.ps('contract')).release, 2);
      await scene.deploy(file({ name: 'contract', port, version: 3, jobs: `{seed: ${PAGE}}` }));
      const request = { project: 'contract', author: 'test', release: 1 };
      for (const attempt of [() => scene.rollback('contract', 1), () => scene.delivery.planRollback(request)]) {
        await assert.rejects(attempt, (error) => {
          assert.ok(error instanceof UserError && error.kind === 'conflict');
          return /cannot go back to release 1: the migration "drop" of release 2 has contracted/.test(error.message);
        });
      }
      await scene.rollback('contract', 2);
    });

    for (const moment of ['while it runs', 'after it has ended'] as const) {
      it(`are adopted ${moment} when the daemon was killed, and not run twice`, async () => {
        const { socketPath } = running;
        const root = mkdtempSync(join(tmpdir(), 'bascule-job-kill-'));
        const port = await freePort();
        {
          const scene = await openScene({ socketPath, root });
          await scene.deploy(file({ name: 'killed', port, version: 1, jobs: `{seed: ${PAGE}}` }));
          await scene.delivery.close();
          await scene.traffic.close();
        }
        const long = job(
          'echo run >> /data/once; echo begun; sleep 2; echo end >> /data/once',
          'at: before-switch, retries: 3',
        );
        const composeFile = join(root, 'next.yaml');
        writeFileSync(composeFile, file({ name: 'killed', port, version: 2, jobs: `{seed: ${PAGE}, long: ${long}}` }));
        await deployAndDie({ socketPath, root, composeFile, killAtLine: 'begun' });
        await using scene = await openScene({ socketPath, root });
        const [container] = await jobContainers(scene, 'killed');
        assert.equal(container, 'killed-long-r2-job', 'it goes on without a daemon');
        if (moment === 'after it has ended')
          await waitFor(async () => (await scene.fleet.inspect(container))?.state === 'exited', {
            timeoutMs: 20_000,
            what: 'the job ends',
          });
        await scene.delivery.resume();
        await scene.delivery.settled();
        assert.equal((await scene.delivery.ps('killed')).release, 2);
        assert.equal(await output(scene, 'killed', ['cat', '/data/once']), 'run\nend');
        assert.deepEqual(await jobContainers(scene, 'killed'), []);
      });
    }
  });
}

function jobLines({ events }: DeliveryScene): readonly string[] {
  return events.flatMap((event) => (event.type === 'job-output' ? [`${event.job} ${event.line}`] : []));
}

async function jobContainers({ fleet }: DeliveryScene, project: string): Promise<readonly string[]> {
  const { instances } = await fleet.observe(project);
  return instances.filter(({ labels }) => 'bascule.job' in labels).map(({ name }) => name);
}

async function failureOf(deploy: Promise<RolloutOutcome>): Promise<RolloutOutcome> {
  const error = await deploy.then(
    () => assert.fail('it did not fail'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof UserError, String(error));
  return error.details['outcome'] as RolloutOutcome;
}

async function deployAndDie(given: Readonly<Record<string, unknown>>): Promise<void> {
  const program = fileURLToPath(new URL('../support/delivery-process.ts', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, DELIVERY: JSON.stringify(given) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
}
