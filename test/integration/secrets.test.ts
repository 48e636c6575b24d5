import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openScene } from '../support/delivery-scene.ts';
import { cannotRunContainers } from '../support/docker-engine.ts';
import { importBusybox, startDockerd } from '../support/machine.ts';
import { output } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

const FILE = `
name: boot
x-bascule: {health_timeout: 15s, keep: 0s}
services:
  web:
    image: busybox
    command: ["sleep", "100000"]
    init: true
    stop_grace_period: 1s
    configs: [{source: motd, target: /etc/motd}]
configs: {motd: {content: welcome}}
`;

/** The embedded engine's turn is in test/scenarios/secrets.test.ts: it starts with the daemon. */
describe(
  'a machine that is started again, with a real dockerd',
  { skip: cannotRunContainers(), timeout: 540_000 },
  () => {
    it('has instances whose files were missing when dockerd started them: they are replaced', async () => {
      const base = mkdtempSync('/var/tmp/bascule-boot-');
      await using undo = new AsyncDisposableStack();
      undo.defer(() => rmSync(base, { recursive: true, force: true }));
      const folder = join(base, 'dockerd');
      const root = join(base, 'root');
      {
        await using dockerd = await startDockerd(folder);
        importBusybox(dockerd.socket, base);
        const scene = await openScene({ socketPath: dockerd.socket, root });
        await scene.deploy(FILE);
        await scene.delivery.close();
        await scene.traffic.close();
        execFileSync('umount', ['--lazy', join(scene.scope.runDirectory, 'files')]);
      }
      const dockerd = undo.use(await startDockerd(folder));
      const scene = undo.use(await openScene({ socketPath: dockerd.socket, root }));
      const before = await scene.fleet.inspect('boot-web-r1-1');
      assert.notEqual(before?.state, 'running', 'dockerd could not start it');
      await scene.delivery.resume();
      const motd = async (): Promise<string> => await output(scene, 'boot', ['cat', '/etc/motd']).catch(() => '');
      await waitFor(async () => (await motd()) === 'welcome', { timeoutMs: 30_000, what: 'it runs, with its file' });
    });
  },
);
