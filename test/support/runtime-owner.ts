/** A daemon's stand-in: opens the lab over a root and does as told on its standard input, until it is killed. */
import { createInterface } from 'node:readline';
import type { ContainerSpec } from '../../src/engine/runtime/index.ts';
import { openRuntimeLab } from './runtime-lab.ts';

const lab = await openRuntimeLab(process.argv[2]);
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { script, more } = JSON.parse(line) as { script: string; more: Partial<ContainerSpec> };
  console.log(await lab.run(script, more));
}
