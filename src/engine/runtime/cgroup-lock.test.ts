import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { expectMigration, ownProcessesFile } from './cgroup-lock.ts';

describe('the group that we are in', () => {
  const hybrid = '9:name=systemd:/\n8:pids:/a/b\n4:memory:/process_api/x\n0::/\n';

  it('is found on both versions', () => {
    assert.equal(ownProcessesFile(hybrid, 1), '/sys/fs/cgroup/pids/a/b/cgroup.procs');
    assert.equal(
      ownProcessesFile('0::/system.slice/bascule.service\n', 2),
      '/sys/fs/cgroup/system.slice/bascule.service/cgroup.procs',
    );
    assert.equal(ownProcessesFile('3:cpu,pids:/x\n', 1), '/sys/fs/cgroup/cpu,pids/x/cgroup.procs');
  });

  it('is left alone where it is out of sight', () => {
    for (const path of ['/../../x', '/gone (deleted)']) assert.equal(ownProcessesFile(`0::${path}\n`, 2), undefined);
    assert.equal(ownProcessesFile('', 2), undefined);
    assert.equal(ownProcessesFile('1:cpu:/\n', 1), undefined);
  });

  it('stays the same', async () => {
    const before = readFileSync('/proc/self/cgroup', 'utf8');
    await Promise.all([expectMigration(1), expectMigration(2)]);
    assert.equal(readFileSync('/proc/self/cgroup', 'utf8'), before);
  });
});
