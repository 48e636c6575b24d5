import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachArgv, conmonArgv, execArgv } from './argv.ts';
import { failureMessage } from './failures.ts';
import { nextDelayMs, nextHealth, planHealth, STARTING } from './health-plan.ts';
import { signalNumber } from './signals.ts';
import { filterProcesses, parseNetworkDevices } from './statistics.ts';

const runtime = { name: 'runc', program: '/usr/sbin/runc', leading: [], stateDirectory: '/run/s' } as const;

describe('command lines', () => {
  it('hold only what old conmon knows', () => {
    const argv = conmonArgv({
      id: 'a'.repeat(64),
      runtime,
      bundle: '/b',
      pidFile: '/b/pid',
      conmonPidFile: '/b/conmon.pid',
      exitDirectory: '/e',
      socketDirectory: '/s',
      logPath: '/l',
      terminal: true,
      openStdin: true,
      stdinOnce: false,
    });
    const text = argv.join(' ');
    assert.match(text, /^conmon --cid a{64} --cuuid a{32} --runtime \/usr\/sbin\/runc --bundle \/b /);
    assert.match(text, /--log-path k8s-file:\/l .*--terminal --stdin --leave-stdin-open$/);
  });

  it('keep what varies in arguments of its own', () => {
    assert.deepEqual(execArgv(runtime, { id: 'x', processFile: '/p', pidFile: '/i', logFile: '/l' }).slice(0, 3), [
      '/usr/sbin/runc',
      '--root',
      '/run/s',
    ]);
    assert.equal(attachArgv('/a,b:c').at(-1), 'UNIX-CONNECT:/a\\,b\\:c,type=5');
  });
});

describe('health', () => {
  const plan = planHealth(
    { Test: ['CMD-SHELL', 'ok'], Interval: 1e9, StartPeriod: 5e9, StartInterval: 1e8, Retries: 2 },
    ['/bin/sh', '-c'],
  )!;
  const entry = (exitCode: number) => ({ start: new Date(0), end: new Date(0), exitCode, output: '' });

  it("fills in Docker's defaults", () => {
    assert.deepEqual(planHealth({ Test: ['CMD', 'a'] }, []), {
      args: ['a'],
      intervalMs: 30_000,
      timeoutMs: 30_000,
      startPeriodMs: 0,
      startIntervalMs: 5_000,
      retries: 3,
    });
    assert.equal(planHealth({ Test: ['NONE'] }, []), undefined);
    assert.equal(planHealth(undefined, []), undefined);
    assert.deepEqual(plan.args, ['/bin/sh', '-c', 'ok']);
  });

  it('counts failures only after the start period, and forgets them with a success', () => {
    const early = nextHealth(STARTING, entry(1), { retries: 2, inStartPeriod: true });
    assert.deepEqual([early.status, early.failingStreak], ['starting', 0]);
    const once = nextHealth(early, entry(1), { retries: 2, inStartPeriod: false });
    const twice = nextHealth(once, entry(1), { retries: 2, inStartPeriod: false });
    assert.deepEqual([once.status, twice.status], ['starting', 'unhealthy']);
    const well = nextHealth(twice, entry(0), { retries: 2, inStartPeriod: false });
    assert.deepEqual([well.status, well.failingStreak], ['healthy', 0]);
    const many = Array.from({ length: 9 }).reduce<typeof well>(
      (health) => nextHealth(health, entry(0), { retries: 2, inStartPeriod: false }),
      well,
    );
    assert.equal(many.log.length, 5);
  });

  it('asks more often while starting', () => {
    assert.equal(nextDelayMs(plan, { health: STARTING, ranMs: 10 }), 100);
    assert.equal(nextDelayMs(plan, { health: STARTING, ranMs: 6_000 }), 1_000);
    assert.equal(nextDelayMs(plan, { health: { ...STARTING, status: 'healthy' }, ranMs: 10 }), 1_000);
  });
});

describe('small things', () => {
  it('knows signals by name and number', () => {
    assert.deepEqual(['SIGTERM', 'kill', '15', 'RTMIN+3', 'SIGRTMAX-1'].map(signalNumber), [15, 9, 15, 37, 63]);
    for (const bad of ['', 'SIGNOPE', '0', '65', '-1'])
      assert.throws(() => signalNumber(bad), { code: 'signal-invalid' });
  });

  it("finds the runtime's last word", () => {
    assert.equal(failureMessage('{"level":"warning","msg":"a"}\n{"level":"error","msg":"b \\"c\\""}\n'), 'b "c"');
    assert.equal(
      failureMessage('time="x" level=error msg="runc create failed: exec: \\"no\\": not found"\n'),
      'runc create failed: exec: "no": not found',
    );
    assert.equal(failureMessage('plain\n'), 'plain');
    assert.match(failureMessage(''), /without a word/);
  });

  it('reads processes and network devices', () => {
    const ps = 'UID  PID  CMD\nroot  1  init -x\nroot  22  sleep 10 20\n';
    assert.deepEqual(filterProcesses(ps, new Set([22])), {
      titles: ['UID', 'PID', 'CMD'],
      rows: [['root', '22', 'sleep 10 20']],
    });
    const devices = parseNetworkDevices(
      'h\nh\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 3 4 0 0 0 0 20 5 6 7 0 0 0 0\n',
    );
    assert.deepEqual(Object.keys(devices), ['eth0']);
    assert.equal(devices['eth0']!.sentBytes, 20);
  });
});
