import assert from 'node:assert/strict';
import { it } from 'node:test';
import { renderUnit } from './unit.ts';

it('runs the daemon in the foreground and leaves containers alone when it stops', () => {
  const unit = renderUnit({
    argv: ['/opt/my apps/bascule', 'daemon', 'run', '--root', '/srv/100%'],
    root: '/srv/100%',
  });
  assert.match(unit, /^ExecStart="\/opt\/my apps\/bascule" daemon run --root \/srv\/100%%$/m);
  assert.match(unit, /^KillMode=process$/m);
  assert.match(unit, /^Delegate=yes$/m);
});
