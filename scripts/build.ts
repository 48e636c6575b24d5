/**
 * Makes dist/bascule: one executable file that runs where no Node is installed.
 * esbuild bundles the sources in pieces, one for each set of modules that is loaded together; they lie in the executable
 * with their code caches (scripts/executable/load-pieces.ts), and Node makes a single executable application of it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { constants, Script } from 'node:vm';
import { build, type BuildOptions, type Plugin, transform } from 'esbuild';

const DIST = 'dist';
const PIECES = join(DIST, 'pieces');
const START = join(DIST, 'start.cjs');
const EXECUTABLE = join(DIST, 'bascule');
const QUIET = '--disable-warning=ExperimentalWarning';
/** No daemon is needed for it, and it uses what most commands use. */
const WARMING = ['image', 'build', '--help'];

/** docker-modem can reach engines over SSH with native helpers, cyclonedx-library can write XML: we do neither. */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(builder) {
    builder.onResolve({ filter: /^(ssh2|cpu-features|xmlbuilder2)$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    builder.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Of a package in CommonJS, which is imported when it is needed, a piece would have the default export alone. */
const withNames: Plugin = {
  name: 'with-names',
  setup(builder) {
    builder.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && !path.startsWith('node:') ? { path, namespace: 'package' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'package' }, async ({ path }) => {
      const names = Object.keys((await import(path)) as object).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name));
      const named = names.filter((name) => name !== 'default' && name !== '__esModule').join(', ');
      const from = JSON.stringify(path);
      const contents = `import * as whole from ${from};\nexport const { ${named} } = whole;\nexport default whole.default;\n`;
      return { contents, resolveDir: process.cwd() };
    });
  },
};

const COMMON = {
  platform: 'node',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  charset: 'ascii', // else a string of the code takes two bytes a character
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

rmSync(PIECES, { recursive: true, force: true });
mkdirSync(PIECES, { recursive: true });
const { outputFiles } = await build({
  ...COMMON,
  entryPoints: ['src/main.ts'],
  outdir: PIECES,
  bundle: true,
  splitting: true,
  write: false,
  format: 'esm',
  plugins: [withoutUnused, withNames],
  define: { 'import.meta.filename': '__filename', 'import.meta.url': '__filename' },
});
const names: string[] = [];
for (const { path, text } of outputFiles) {
  const name = `./${basename(path)}`;
  const code = await asPiece(text);
  const script = new Script(code, {
    filename: name,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  writeFileSync(join(PIECES, name), code);
  writeFileSync(join(PIECES, `${name}.cache`), script.createCachedData());
  names.push(name, `${name}.cache`);
}
execFileSync(process.execPath, [QUIET, 'scripts/executable/warm.ts', PIECES, ...WARMING], { stdio: 'ignore' });
await build({ ...COMMON, entryPoints: ['scripts/executable/start.ts'], outfile: START, bundle: true, format: 'cjs' });
const config = join(DIST, 'sea.json');
writeFileSync(
  config,
  JSON.stringify({
    main: START,
    output: EXECUTABLE,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: [QUIET],
    assets: Object.fromEntries(names.map((name) => [name, join(PIECES, name)])),
  }),
);
execFileSync(process.execPath, ['--build-sea', config], { stdio: 'inherit' });
console.log(`${EXECUTABLE}: ${(statSync(EXECUTABLE).size / 1e6).toFixed(0)} MB`);

/** A function over what a CommonJS module has; imports of other pieces become calls of `require`. */
async function asPiece(module: string): Promise<string> {
  const { code } = await transform(module, { ...COMMON, format: 'cjs', supported: { 'dynamic-import': false } });
  const ascii = code.replaceAll(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `(function(exports,require,module,__filename){${ascii}\n})`;
}
