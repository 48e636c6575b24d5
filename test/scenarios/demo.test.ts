import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';

const DEMO = join(import.meta.dirname, '..', '..', 'demo', 'main.ts');

it('the demo does the main job on a real application, and leaves nothing behind', { timeout: 600_000 }, async () => {
  const folder = mkdtempSync('/var/tmp/bascule-demo-test-');
  try {
    const root = join(folder, 'root');
    const { exitCode, output } = await runDemo(root);
    assert.equal(exitCode, 0, output);
    assert.match(output, /requests \d{3,}, lost 0\b/);
    assert.match(output, /SIGKILL to the daemon/);
    assert.equal(existsSync(root), false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function runDemo(root: string): Promise<{ exitCode: number; output: string }> {
  const child = spawn(process.execPath, [DEMO, '--root', root], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 540_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString('utf8')));
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? 1));
  });
  return { exitCode, output };
}
