import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RegistryBench } from './registry-bench.ts';

/** A process that pulls or pushes an image until it is killed; it says where its store is. */
const [what, name = ''] = process.argv.slice(2);
const bench = await new RegistryBench().open();
console.log(bench.directory);
if (what === 'push') {
  await bench.step(undefined, (root) => writeFileSync(join(root, 'large'), randomBytes(20_000_000)), [name]);
  await bench.client.push(name, {});
} else await bench.client.pull(name, {});
