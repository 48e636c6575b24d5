/**
 * Makes dist/bascule: one executable file that runs where no Node is installed.
 * Bundles the sources with esbuild, then lets Node build a single executable application of it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const DIST = 'dist';
const BUNDLE = join(DIST, 'bascule.cjs');
const EXECUTABLE = join(DIST, 'bascule');

/** docker-modem can reach engines over SSH with native helpers, cyclonedx-library can write XML: we do neither. */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(builder) {
    builder.onResolve({ filter: /^(ssh2|cpu-features|xmlbuilder2)$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    builder.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
  },
};

mkdirSync(DIST, { recursive: true });
await build({
  entryPoints: ['src/main.ts'],
  outfile: BUNDLE,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  plugins: [withoutUnused],
  define: { 'import.meta.filename': '__filename', 'import.meta.url': '__filename' },
  logLevel: 'warning',
});
const config = join(DIST, 'sea.json');
writeFileSync(
  config,
  JSON.stringify({
    main: BUNDLE,
    output: EXECUTABLE,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  }),
);
execFileSync(process.execPath, ['--build-sea', config], { stdio: 'inherit' });
console.log(`${EXECUTABLE}: ${(statSync(EXECUTABLE).size / 1e6).toFixed(0)} MB`);
