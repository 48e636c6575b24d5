import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { SOCKET_FAMILIES } from '../../src/engine/runtime/seccomp-profile.ts';
import type { PathStat, StepRequest } from '../../src/engine/runtime/index.ts';
import { UserError } from '../../src/lib/errors.ts';
import { run } from '../../src/lib/process.ts';
import { runtimeStatesIn } from '../support/runtime-states.ts';
import { logText, openRuntimeLab, specOf, type RuntimeLab } from '../support/runtime-lab.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const MIB = 1024 * 1024;

describe('runtime', { skip }, () => {
  let lab: RuntimeLab;
  before(async () => {
    lab = await openRuntimeLab();
  });
  after(() => lab[Symbol.asyncDispose]());

  const actionsOf = (id: string): string[] =>
    lab.events.filter((event) => event.containerId === id).map((event) => event.action);

  describe('life of a container', () => {
    it('is created, started, ends with its code, and is removed', async () => {
      const { id, state } = await lab.runtime.create(specOf(lab.image, 'echo out; echo err >&2; exit 7'));
      assert.equal(state.status, 'created');
      await lab.runtime.start(id);
      assert.deepEqual(await lab.runtime.wait(id, 'not-running'), { exitCode: 7 });
      const { state: ended } = lab.runtime.get(id);
      assert.equal(ended.status, 'exited');
      assert.equal(ended.pid, 0);
      assert.ok(ended.startedAt! <= ended.finishedAt!);
      assert.equal(await logText(lab.runtime, id), 'out\nerr\n');
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
      assert.equal(lab.runtime.find(id), undefined);
      assert.deepEqual(actionsOf(id), ['create', 'start', 'die', 'destroy']);
      assert.equal(existsSync(join(lab.runDirectory, 'containers', id)), false);
    });

    it('keeps its log over starts, and is found by name and short id', async () => {
      const id = await lab.run('echo once', { name: 'twice' });
      await lab.runtime.wait(id, 'not-running');
      await lab.runtime.start('twice');
      await lab.runtime.wait(id.slice(0, 12), 'not-running');
      assert.equal(await logText(lab.runtime, '/twice'), 'once\nonce\n');
      await assert.rejects(
        lab.runtime.create(specOf(lab.image, 'true', { name: 'twice' })),
        (error) =>
          error instanceof UserError &&
          error.code === 'container-name-taken' &&
          error.message.startsWith(`Conflict. The container name "/twice" is already in use by container "${id}".`),
      );
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });

    it('stops by its signal, and by KILL after the grace period', async () => {
      const gentle = await lab.run('trap "echo bye; exit 4" TERM; echo ready; while :; do sleep 0.05; done');
      // Before its trap is there, the kernel keeps the signal from the first process of a namespace (pid_namespaces(7)).
      const isReady = async (): Promise<boolean> => (await logText(lab.runtime, gentle)).includes('ready');
      await waitFor(isReady, { timeoutMs: 10_000, what: 'its trap is there' });
      await lab.runtime.stop(gentle, { timeoutSeconds: 10 });
      assert.ok([4, 143].includes(lab.runtime.get(gentle).state.exitCode));
      const stubborn = await lab.run('trap "" TERM; while :; do sleep 0.05; done');
      await lab.runtime.stop(stubborn, { timeoutSeconds: 0 });
      assert.equal(lab.runtime.get(stubborn).state.exitCode, 137);
      for (const id of [gentle, stubborn]) await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });

    it('refuses to remove what runs, unless forced', async () => {
      const id = await lab.run('sleep 1000');
      const { name } = lab.runtime.get(id).spec;
      await assert.rejects(lab.runtime.remove(id, { force: false, removeVolumes: false }), {
        message: `cannot remove container "${name}": container is running: stop the container before removing or force remove`,
      });
      const removed = lab.runtime.wait(id, 'removed');
      await lab.runtime.remove(id, { force: true, removeVolumes: false });
      assert.deepEqual(await removed, { exitCode: 137 });
    });

    it('is removed by itself when it was to be', async () => {
      const { id } = await lab.runtime.create(specOf(lab.image, 'exit 3', { autoRemove: true }));
      const removed = lab.runtime.wait(id, 'removed');
      await lab.runtime.start(id);
      assert.equal((await removed).exitCode, 3);
      assert.equal(lab.runtime.find(id), undefined);
    });

    it('pauses, goes on, is renamed and restarted', async () => {
      const id = await lab.run('while :; do echo tick; sleep 0.02; done');
      await lab.runtime.pause(id);
      assert.equal(lab.runtime.get(id).state.status, 'paused');
      await assert.rejects(lab.runtime.pause(id), { code: 'container-paused' });
      await lab.runtime.unpause(id);
      await lab.runtime.rename(id, 'renamed');
      assert.equal(lab.runtime.get('renamed').id, id);
      const before = lab.runtime.get(id).state.pid;
      await lab.runtime.restart(id, { timeoutSeconds: 0 });
      assert.notEqual(lab.runtime.get(id).state.pid, before);
      await lab.runtime.remove(id, { force: true, removeVolumes: false });
    });
  });

  describe('what cannot start', () => {
    const failed = async (args: readonly string[], more = {}): Promise<UserError> => {
      const { id } = await lab.runtime.create(specOf(lab.image, args, more));
      const error = await lab.runtime.start(id).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof UserError);
      assert.equal(lab.runtime.get(id).state.status, 'created');
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
      return error;
    };

    it('says 127 for a command that is not there and 126 for one that is no program', async () => {
      const missing = await failed(['nope']);
      assert.equal(missing.details['exitCode'], 127);
      assert.match(missing.message, /exec: "nope": executable file not found in \$PATH/);
      const directory = await failed(['/etc']);
      assert.equal(directory.details['exitCode'], 126);
    });

    it('names a user and a bind source that do not exist', async () => {
      assert.match((await failed(['true'], { user: 'nobody-here' })).message, /unable to find user nobody-here/);
      const mounts = [{ type: 'bind', source: '/does/not/exist', target: '/x', readOnly: false }];
      assert.match((await failed(['true'], { mounts })).message, /bind source path does not exist: \/does\/not\/exist/);
    });
  });

  describe('confinement', () => {
    it('changes the limits of what runs', async () => {
      const id = await lab.run('sleep 1000');
      await lab.runtime.update(id, { resources: { pidsLimit: 33, cpuShares: 512 } });
      const groups = await readFile(`/proc/${lab.runtime.get(id).state.pid}/cgroup`, 'utf8');
      const file = ['pids', '']
        .map((controller) => {
          const group = new RegExp(`^\\d+:${controller}:(/.*)$`, 'm').exec(groups)?.[1] ?? '/none';
          return join('/sys/fs/cgroup', controller, group, 'pids.max');
        })
        .find((path) => existsSync(path));
      assert.equal(await readFile(file!, 'utf8'), '33\n');
      await lab.runtime.remove(id, { force: true, removeVolumes: true });
    });

    it("has Docker's fourteen capabilities, no new privileges, and a filter", async () => {
      const { text } = await lab.output('grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status');
      assert.match(text, /CapEff:\s+00000000a80425fb/);
      assert.match(text, /NoNewPrivs:\s+1/);
      assert.match(text, /Seccomp:\s+2/);
    });

    it('refuses namespaces and mounts', async () => {
      const { text } = await lab.output('unshare -U true; mount -t tmpfs none /mnt; mkdir /m; mount -t tmpfs none /m');
      assert.match(text, /unshare.*Operation not permitted/);
      assert.match(text, /mount.*(permitted|denied|root)/i);
    });

    it('opens sockets of the families in the list, and of no other', async (t) => {
      if (!existsSync('/usr/bin/perl')) return t.skip('it asks by the perl of this machine');
      const mounts = ['/usr', '/lib', '/lib64', '/bin']
        .filter((path) => existsSync(path))
        .map((path) => ({ type: 'bind' as const, source: path, target: `/host${path}`, readOnly: true }));
      const ask = 'for (0..99) { $! = 0; socket(my $s, $_, 1, 0); print "$_\n" unless $! == 1 }';
      const script = `mkdir -p /host/dev; mknod /host/dev/null c 1 3; chroot /host /usr/bin/perl -e '${ask}'`;
      const { text } = await lab.output(script, { mounts });
      assert.deepEqual(text.trim().split('\n').map(Number), SOCKET_FAMILIES);
    });

    it('adds and drops capabilities', async () => {
      const security = {
        privileged: false,
        capAdd: ['NET_ADMIN'],
        capDrop: ['ALL'],
        noNewPrivileges: true,
        seccomp: 'default' as const,
      };
      const { text } = await lab.output('grep CapEff /proc/self/status', { security });
      assert.match(text, /0000000000001000/);
    });

    it('ends what takes too much memory, and tells', async () => {
      const id = await lab.run('x=a; while :; do x=$x$x; done', { resources: { memoryBytes: 24 * MIB } });
      assert.equal((await lab.runtime.wait(id, 'not-running')).exitCode, 137);
      assert.equal(lab.runtime.get(id).state.oomKilled, true);
      assert.ok(actionsOf(id).includes('oom'));
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });

    it('limits the number of processes', async () => {
      const { text } = await lab.output('for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done; echo done', {
        resources: { pidsLimit: 8 },
      });
      assert.match(text, /can't fork|Resource temporarily unavailable/);
    });

    it('has a read-only root with memory where it was asked for', async () => {
      const mounts = [{ type: 'tmpfs' as const, target: '/run', sizeBytes: MIB }];
      const { text } = await lab.output('touch /x; echo kept > /run/x && cat /run/x; df -k /run | tail -1', {
        readOnlyRoot: true,
        mounts,
      });
      assert.match(text, /touch: \/x: Read-only file system/);
      assert.match(text, /^kept$/m); // lines of the two streams come in any order
      assert.match(text, /^tmpfs +1024 /m);
    });

    it('is closed to users of the machine: a set-user-ID program in it would run for them as root', async () => {
      const mounts = [{ type: 'volume' as const, name: 'closed', target: '/data', readOnly: false, noCopy: true }];
      const id = await lab.run('sleep 60', { mounts });
      const places = [
        join(lab.runDirectory, 'containers'),
        join(lab.runDirectory, 'steps'),
        join(lab.root, 'engine/containers'),
        join(lab.root, 'engine/volumes'),
      ];
      for (const place of places) assert.equal((await stat(place)).mode & 0o077, 0, place);
      assert.equal((await stat(join(lab.runDirectory, 'containers', id, 'config.json'))).mode & 0o077, 0);
      await lab.runtime.remove(id, { force: true, removeVolumes: false });
    });

    it('lets every user read what it is given, whatever the umask of the daemon', async () => {
      const before = process.umask(0o077);
      try {
        const { text } = await lab.output(
          'cat /etc/hosts /etc/hostname /etc/resolv.conf >/dev/null && ls / >/dev/null && echo ok',
          {
            user: '1000',
          },
        );
        assert.equal(text, 'ok\n');
      } finally {
        process.umask(before);
      }
    });

    it('runs as the user that was named, in a folder that was not there', async () => {
      const { text } = await lab.output('id -u; id -g; pwd; echo $HOME; hostname', {
        user: '1000:1001',
        workingDirectory: '/srv/app',
        hostname: 'box',
      });
      assert.equal(text, '1000\n1001\n/srv/app\n/\nbox\n');
    });
  });

  describe('mounts', () => {
    it('binds folders and files, read-only where asked', async () => {
      const source = join(lab.root, 'bound');
      await mkdir(source);
      await writeFile(join(source, 'file'), 'hello');
      const { text } = await lab.output('cat /bound/file; touch /bound/x; echo made > /rw/new', {
        mounts: [
          { type: 'bind', source, target: '/bound', readOnly: true },
          { type: 'bind', source, target: '/rw', readOnly: false },
        ],
      });
      assert.match(text, /^hellotouch: \/bound\/x: Read-only file system/);
      assert.equal(await readFile(join(source, 'new'), 'utf8'), 'made\n');
    });

    it('fills a new volume with what the image has there, once', async () => {
      const mounts = [{ type: 'volume' as const, name: 'etc', target: '/etc', readOnly: false, noCopy: false }];
      const first = await lab.output('cat /etc/passwd; rm /etc/passwd; echo mine > /etc/mine', { mounts });
      assert.equal(first.text, (await lab.output('cat /etc/passwd')).text);
      const second = await lab.output('cat /etc/mine; ls /etc/passwd', { mounts });
      assert.match(second.text, /^mine\nls: \/etc\/passwd: No such file/);
      const empty = [{ type: 'volume' as const, name: 'empty', target: '/etc', readOnly: false, noCopy: true }];
      assert.equal((await lab.output('ls /etc/passwd', { mounts: empty })).exitCode, 1);
    });
  });

  describe('output', () => {
    it('gives back the exact bytes, binary and unfinished lines too', async () => {
      const { text } = await lab.output('printf "a\\nb"; printf "c\\r\\n\\n"; printf "end"');
      assert.equal(text, 'a\nbc\r\n\nend');
    });

    it('follows to the end', async () => {
      const id = await lab.run('for i in 1 2 3; do echo $i; sleep 0.1; done');
      const seen: string[] = [];
      for await (const { data } of lab.runtime.logs(id, { follow: true, stdout: true, stderr: true })) {
        seen.push(data.toString());
      }
      assert.equal(seen.join(''), '1\n2\n3\n');
      const tail: string[] = [];
      const options = { follow: false, stdout: true, stderr: true, tail: 2 };
      for await (const { data } of lab.runtime.logs(id, options)) tail.push(data.toString());
      assert.equal(tail.join(''), '2\n3\n');
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });

    it('loses nothing for who attaches first and starts then, with input', async () => {
      const { id } = await lab.runtime.create(specOf(lab.image, ['cat'], { openStdin: true, stdinOnce: true }));
      const attachment = await lab.runtime.attach(id, {
        stdin: true,
        stdout: true,
        stderr: true,
        logs: false,
        stream: true,
      });
      await lab.runtime.start(id);
      attachment.stdin!.end('through\n');
      const seen: string[] = [];
      for await (const { data } of attachment.output) seen.push(data.toString());
      assert.equal(seen.join(''), 'through\n');
      assert.equal((await lab.runtime.wait(id, 'not-running')).exitCode, 0);
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });

    it('gives a terminal its size', async () => {
      const { id } = await lab.runtime.create(specOf(lab.image, 'read go; stty size', { tty: true, openStdin: true }));
      const attachment = await lab.runtime.attach(id, {
        stdin: true,
        stdout: true,
        stderr: true,
        logs: false,
        stream: true,
      });
      await lab.runtime.start(id);
      await lab.runtime.resize(id, { columns: 101, rows: 33 });
      attachment.stdin!.write('go\n');
      let text = '';
      for await (const { data } of attachment.output) text += data.toString();
      assert.match(text, /33 101/);
      attachment.close();
      await lab.runtime.remove(id, { force: true, removeVolumes: false });
    });
  });

  describe('exec', () => {
    let id: string;
    before(async () => {
      id = await lab.run('sleep 1000', { env: ['OWN=1'] });
    });
    after(() => lab.runtime.remove(id, { force: true, removeVolumes: false }));

    const exec = async (args: readonly string[], more = {}): Promise<{ text: string; exitCode: number }> => {
      const created = lab.runtime.createExec(id, { args, ...more });
      const streams = await lab.runtime.startExec(created.id);
      let text = '';
      for await (const { data } of streams.output) text += data.toString();
      const exitCode = await streams.exit;
      assert.equal(lab.runtime.inspectExec(created.id).exitCode, exitCode);
      return { text, exitCode };
    };

    it('runs with the variables and folder asked for, and gives the exit code', async () => {
      const result = await exec(['sh', '-c', 'echo $OWN $MORE; pwd; id -u; exit 9'], {
        env: ['MORE=2'],
        workingDirectory: '/tmp',
        user: '12',
      });
      assert.deepEqual(result, { text: '1 2\n/tmp\n12\n', exitCode: 9 });
    });

    it('says 127 and 126', async () => {
      assert.equal((await exec(['nope'])).exitCode, 127);
      assert.equal((await exec(['/etc'])).exitCode, 126);
    });

    it('takes input', async () => {
      const created = lab.runtime.createExec(id, { args: ['cat'], attachStdin: true });
      const streams = await lab.runtime.startExec(created.id);
      streams.stdin.end('in and out');
      let text = '';
      for await (const { data } of streams.output) text += data.toString();
      assert.equal(text, 'in and out');
    });

    it('has a terminal that changes size', async () => {
      const created = lab.runtime.createExec(id, {
        args: [
          'sh',
          '-c',
          `until stty size | grep '20 90'; do :; done; read x; until stty size | grep '10 70'; do :; done; exit 5`,
        ],
        tty: true,
        attachStdin: true,
      });
      const streams = await lab.runtime.startExec(created.id, { size: { columns: 90, rows: 20 } });
      let text = '';
      let sent = false;
      for await (const { data } of streams.output) {
        text += data.toString();
        if (sent || !text.includes('20 90')) continue;
        sent = true;
        await lab.runtime.resizeExec(created.id, { columns: 70, rows: 10 });
        streams.stdin.write('x\n');
      }
      assert.match(text, /20 90[^]*10 70/);
      assert.equal(await streams.exit, 5);
    });

    it('lists processes, statistics, changes and files', async () => {
      const { titles, rows } = await lab.runtime.top(id);
      assert.ok(titles.includes('PID'));
      assert.ok(rows.some((row) => row.at(-1)!.includes('sleep 1000')));
      const statistics = await lab.runtime.statistics(id);
      assert.ok(statistics!.memory.usageBytes > 0 && statistics!.pids.current >= 1);
      await exec(['sh', '-c', 'echo new > /new; rm /etc/passwd']);
      const changes = await lab.runtime.changes(id);
      assert.deepEqual(
        changes,
        [
          { path: '/etc', kind: 'modified' },
          { path: '/etc/passwd', kind: 'deleted' },
          { path: '/new', kind: 'added' },
        ].filter(({ path }) => changes.some((change) => change.path === path)) as typeof changes,
      );
      const tar = new PassThrough();
      const begin = async ({ name }: PathStat): Promise<PassThrough> => {
        assert.equal(name, 'new');
        return tar;
      };
      const copied = lab.runtime.copyOut(id, '/new', { begin }).finally(() => tar.end());
      await Promise.all([copied, lab.runtime.copyIn(id, '/tmp', tar)]);
      assert.equal((await exec(['cat', '/tmp/new'])).text, 'new\n');
    });

    it('writes nothing to the host through a link of the container', async () => {
      const outside = await mkdtemp(join(tmpdir(), 'bascule-copy-in-'));
      try {
        await exec(['ln', '-s', outside, '/tmp/out']);
        await mkdir(join(outside, 'from/out'), { recursive: true });
        await writeFile(join(outside, 'from/out/victim'), 'hostile');
        const made = ['tar', '--create', `--file=${outside}/x.tar`, '-C', `${outside}/from`, 'out/victim'] as const;
        assert.equal((await run(made)).exitCode, 0);
        const archive = Readable.from([await readFile(join(outside, 'x.tar'))]);
        await assert.rejects(lab.runtime.copyIn(id, '/tmp', archive), { code: 'copy-through-link' });
        assert.deepEqual((await readdir(outside)).toSorted(), ['from', 'x.tar']);
      } finally {
        await rm(outside, { recursive: true });
      }
    });
  });

  describe('health', () => {
    it('becomes healthy, then unhealthy, and keeps the last outputs', async () => {
      const id = await lab.run('touch /ok; sleep 1000', {
        healthcheck: { Test: ['CMD-SHELL', 'cat /ok && echo fine'], Interval: 50e6, Timeout: 2e9, Retries: 2 },
      });
      assert.equal(lab.runtime.get(id).state.health?.status, 'starting');
      await waitFor(() => lab.runtime.get(id).state.health?.status === 'healthy', {
        timeoutMs: 5_000,
        what: 'healthy',
      });
      const { exit } = await lab.runtime.startExec(lab.runtime.createExec(id, { args: ['rm', '/ok'] }).id);
      await exit;
      await waitFor(() => lab.runtime.get(id).state.health?.status === 'unhealthy', {
        timeoutMs: 5_000,
        what: 'unhealthy',
      });
      const { log, failingStreak } = lab.runtime.get(id).state.health!;
      assert.ok(failingStreak >= 2 && log.length <= 5);
      assert.match(log.at(-1)!.output, /can't open '\/ok'/);
      assert.ok(actionsOf(id).includes('health_status: healthy') && actionsOf(id).includes('health_status: unhealthy'));
      await lab.runtime.remove(id, { force: true, removeVolumes: false });
    });
  });

  describe('restart policy', () => {
    it('starts again on failure, as often as allowed', async () => {
      const id = await lab.run('exit 1', { restartPolicy: { name: 'on-failure', maximumRetryCount: 2 } });
      assert.equal((await lab.runtime.wait(id, 'not-running')).exitCode, 1);
      assert.equal(lab.runtime.get(id).state.restartCount, 2);
      assert.equal(actionsOf(id).filter((action) => action === 'start').length, 3);
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });

    it('leaves alone what a user stopped', async () => {
      const id = await lab.run('sleep 1000', { restartPolicy: { name: 'always', maximumRetryCount: 0 } });
      await lab.runtime.stop(id, { timeoutSeconds: 0 });
      assert.equal(lab.runtime.get(id).state.status, 'exited');
      await lab.runtime.remove(id, { force: false, removeVolumes: false });
    });
  });

  describe('build steps', () => {
    const root = (): string => {
      const [layer] = lab.images.layersOf(lab.image.id);
      return layer!.directory;
    };
    const step = (args: readonly string[], more: Partial<StepRequest> = {}) => {
      const output: string[] = [];
      const request = {
        rootDirectory: root(),
        args,
        env: [],
        workingDirectory: '',
        user: '',
        network: 'none' as const,
      };
      const onOutput = (_stream: string, data: Buffer): void => void output.push(data.toString());
      return lab.runtime
        .runStep({ ...request, onOutput, ...more })
        .then((result) => ({ ...result, output: output.join('') }));
    };
    const leftovers = async (): Promise<readonly string[]> => {
      return [...(await readdir(join(lab.runDirectory, 'steps'))), ...runtimeStatesIn(lab.runDirectory)];
    };

    it('give their output and exit code, and leave nothing', async () => {
      const { exitCode, output } = await step(['sh', '-c', 'echo hi; exit 3']);
      assert.deepEqual({ exitCode, output }, { exitCode: 3, output: 'hi\n' });
      assert.equal((await step(['nope'])).exitCode, 127);
      assert.deepEqual(await leftovers(), []);
    });

    it('are confined as containers are, and see control groups only where they say something', async () => {
      const status = await step(['grep', '-E', 'CapEff|Seccomp:', '/proc/self/status']);
      assert.match(status.output, /CapEff:\s+00000000a80425fb\nSeccomp:\s+2/);
      const groups = ['sh', '-c', 'grep -c " /sys/fs/cgroup" /proc/mounts'];
      const isHidden = !existsSync('/sys/fs/cgroup/cgroup.controllers');
      assert.equal((await step(groups)).output === '0\n', isHidden);
      assert.notEqual((await step(groups, { resources: { memoryBytes: 64 * MIB } })).output, '0\n');
    });

    it('tell that memory ended them', async () => {
      const result = await step(['sh', '-c', 'x=a; while :; do x=$x$x; done'], {
        resources: { memoryBytes: 24 * MIB },
      });
      assert.deepEqual([result.exitCode, result.oomKilled], [137, true]);
    });

    it('end at once when they are given up, at whatever moment', async () => {
      for (const afterMs of [0, 5, 10, 15, 20, 30, 40, 60, 90]) {
        await assert.rejects(step(['sleep', '1000'], { signal: AbortSignal.timeout(afterMs) }), {
          name: 'TimeoutError',
        });
      }
      assert.deepEqual(await leftovers(), []);
    });
  });

  it('resolves names of a network, and shares it with another container', async () => {
    await lab.networks.create({ name: 'app' });
    const network = (aliases: readonly string[]) => ({
      mode: 'networks' as const,
      endpoints: [{ network: 'app', aliases }],
      ports: [],
      dns: [],
      dnsSearch: [],
      extraHosts: ['fixed:192.0.2.7'],
    });
    const server = await lab.run('sleep 1000', { name: 'server', network: network(['www']) });
    const { text } = await lab.output(
      'ping -c1 -W5 server >/dev/null && ping -c1 -W5 www >/dev/null && echo both; grep fixed /etc/hosts',
      {
        network: network([]),
      },
    );
    assert.match(text, /^both\n192\.0\.2\.7\s+fixed/);
    const address = lab.runtime.get(server).sandbox!.endpoints[0]!.address;
    const shared = await lab.output('ip -4 addr show eth0', { network: { mode: 'container', id: server } });
    assert.ok(shared.text.includes(address));
    await lab.runtime.remove(server, { force: true, removeVolumes: false });
    await lab.networks.remove('app');
  });
});
