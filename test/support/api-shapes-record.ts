/**
 * Records the shapes of a dockerd's answers beside the test that compares ours with them.
 * usage: node test/support/api-shapes-record.ts SOCKET [FILE]     of a dockerd 28.5 with the image `busybox`
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { observe, prepare, recordingOf, VERSIONS, type Shapes } from './api-shapes.ts';

const [socket = '', file = fileURLToPath(new URL('../integration/docker-api-shapes.json', import.meta.url))] =
  process.argv.slice(2);
const undo = await prepare(socket);
const observed: Record<string, Shapes> = {};
for (const version of VERSIONS) observed[version] = await observe(socket, version);
await undo();
writeFileSync(file, `${JSON.stringify(recordingOf(observed), null, 2)}\n`);
