/** Types, lint, format, the rules of the house, dead exports: everything that `npm run check` looks at. */
import { spawnSync } from 'node:child_process';

const CHECKS: readonly (readonly [name: string, program: string, ...args: string[]])[] = [
  ['types', 'tsc', '-p', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'oxfmt', '--check'],
  ['rules of the house', 'node', '--test', '--test-reporter=dot', 'test/architecture.test.ts'],
  ['reference tables', 'node', 'scripts/reference.ts', '--check'],
  ['Dockerfile tables', 'node', 'scripts/dockerfile-reference.ts', '--check'],
  ['Docker API tables', 'node', 'scripts/docker-api-reference.ts', '--check'],
  ['dead exports', 'knip'],
];

const failed: string[] = [];
for (const [name, program, ...args] of CHECKS) {
  console.log(`== ${name}: ${program} ${args.join(' ')}`);
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? '\ncheck: clean' : `\ncheck: not clean: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
