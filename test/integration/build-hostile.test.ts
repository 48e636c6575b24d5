import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';
const code = (wanted: string) => (error: unknown) => error instanceof UserError && error.code === wanted;

describe('a hostile Dockerfile, context or base image', { skip, timeout: 540_000 }, () => {
  let bench: BuildBench;
  const outside = mkdtempSync(join(tmpdir(), 'bascule-outside-'));
  before(async () => {
    bench = await openBuildBench();
    mkdirSync(join(outside, 'folder'));
    writeFileSync(join(outside, 'empty'), '');
    writeFileSync(join(outside, 'victim'), 'whole');
  });
  after(async () => {
    await bench?.[Symbol.asyncDispose]();
    rmSync(outside, { recursive: true });
  });
  const isWhole = (): void => {
    assert.deepEqual(readdirSync(outside).toSorted(), ['empty', 'folder', 'victim']);
    assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'whole');
  };

  it('deletes nothing of the host by moving the folder of a mount point away and leaving a link', async () => {
    await bench.build({
      files: {
        Dockerfile: [
          'FROM busybox',
          `RUN --mount=type=tmpfs,target=/a/folder mv /a /moved && ln -s ${outside} /a`,
          `RUN --mount=type=cache,target=/b/empty mv /b /moved-too && ln -s ${outside} /b`,
          `RUN --mount=type=secret,id=s,target=/c/empty mv /c /moved-three && ln -s ${outside} /c`,
        ].join('\n'),
      },
      secrets: { s: Buffer.from('x') },
    });
    isWhole();
    assert.equal(lstatSync(join(outside, 'empty')).size, 0);
  });

  it('reaches nothing of the host through links of its image: mounts, WORKDIR, COPY, ADD', async () => {
    const links = `FROM busybox AS base\nRUN ln -s ${outside} /out && ln -s ../../../../../../../..${outside} /climb\n`;
    const attacks = [
      'RUN --mount=type=bind,source=victim,target=/out/victim cat /out/victim',
      'RUN --mount=type=bind,from=base,source=/out,target=/seen ls /seen',
      'RUN --mount=type=bind,from=base,source=/climb/victim,target=/seen cat /seen',
      'RUN --mount=type=cache,target=/climb/folder touch /climb/folder/x',
      'RUN --mount=type=tmpfs,target=/out/folder touch /out/folder/x',
      'RUN --mount=type=secret,id=s,target=/out/secret true',
      'WORKDIR /out/made',
      'COPY victim /out/victim',
      'COPY victim /climb/',
      'COPY --link victim /out/victim',
      'ADD victim /out/folder/added',
      'COPY --from=base /out/victim /x\nRUN cat /x',
    ];
    const outcomes: string[] = [];
    for (const attack of attacks) {
      const files = { victim: 'hostile', Dockerfile: `${links}FROM base\n${attack}\n` };
      const built = bench.build({ files, secrets: { s: Buffer.from('x') } });
      outcomes.push(
        await built.then(
          ({ output }) => `done ${output}`,
          (error: unknown) => `refused ${String(error)}`,
        ),
      );
      isWhole();
    }
    assert.ok(outcomes.filter((outcome) => outcome.startsWith('done')).length >= 8, outcomes.join('\n'));
    assert.ok(!outcomes.join('\n').includes('whole'), outcomes.join('\n'));
  });

  it('reads nothing of the host through links of its context', async () => {
    const folder = bench.context({ Dockerfile: 'FROM busybox\nCOPY . /c\nRUN cat /c/l; ls /c/d/\n' });
    symlinkSync(join(outside, 'victim'), join(folder, 'l'));
    symlinkSync(outside, join(folder, 'd'));
    const built = await bench.build({ context: { kind: 'directory', path: folder } }).catch((error: unknown) => error);
    assert.ok(!String((built as { output?: string }).output ?? built).includes('whole'));
    for (const source of ['l', 'd', 'd/victim']) {
      writeFileSync(join(folder, 'Dockerfile'), `FROM busybox\nCOPY ${source} /x\n`);
      await assert.rejects(bench.build({ context: { kind: 'directory', path: folder } }), code('copy-source-missing'));
    }
  });

  it('reads no .dockerignore or Dockerfile through a link that leads out, and waits for no pipe', async () => {
    writeFileSync(join(outside, 'victim'), 'file\n');
    const folder = bench.context({ file: 'f', Dockerfile: 'FROM busybox\nCOPY file /\n' });
    symlinkSync(join(outside, 'victim'), join(folder, 'Dockerfile.dockerignore'));
    await bench.build({ context: { kind: 'directory', path: folder } });
    rmSync(join(folder, 'Dockerfile.dockerignore'));
    const other = bench.context({ file: 'f' });
    symlinkSync(join(outside, 'victim'), join(other, '.dockerignore'));
    const named = { kind: 'directory', path: other } as const;
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nCOPY --from=other file /\n');
    await bench.build({ context: { kind: 'directory', path: folder }, namedContexts: { other: named } });
    writeFileSync(join(outside, 'victim'), 'whole');
    const third = bench.context({ file: 'f' });
    execFileSync('mkfifo', [join(third, 'Dockerfile')]);
    await assert.rejects(bench.build({ context: { kind: 'directory', path: third } }), code('dockerfile-missing'));
  });

  it('has the network of the host only where the build may give it', async () => {
    const files = { Dockerfile: 'FROM busybox\nRUN --network=host true\n' };
    await assert.rejects(bench.build({ files }), code('entitlement-missing'));
    await bench.build({ files, entitlements: ['network.host'] });
    await bench.build({ files, networkMode: 'host' });
  });

  it('finds no secret in history, cache, labels or provenance of its image', async () => {
    const secret = 'a-secret-that-nobody-else-has';
    const { image } = await bench.build({
      files: {
        Dockerfile: [
          'FROM busybox',
          'RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S test -n "$S" && test -s /run/secrets/s',
        ].join('\n'),
      },
      secrets: { s: Buffer.from(secret) },
    });
    assert.ok(!JSON.stringify(image.config).includes(secret));
    const records = readFileSync(join(bench.scope.root, 'engine', 'engine.db'), 'latin1');
    assert.ok(!records.includes(secret));
  });
});
