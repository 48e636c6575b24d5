import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBuildBench } from './build-bench.ts';

/** A process that builds until it is killed: it says where, and when its step runs. */
const root = mkdtempSync(join(tmpdir(), 'bascule-build-'));
console.log(root);
const bench = await openBuildBench(root);
await bench.build({
  files: { Dockerfile: `FROM busybox\nRUN echo done > /first\nRUN echo running; sleep ${process.argv[2]}\n` },
  onProgress: (event) => event.kind === 'output' && console.log(event.data.toString()),
});
