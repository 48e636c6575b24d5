import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseIgnore } from '../../../lib/dockerignore.ts';
import { UserError } from '../../../lib/errors.ts';
import { digestOf } from '../../../lib/oci/index.ts';
import { RULES } from '../dockerfile/checks/rules.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import type { PlanInput, PlanWarning } from './plan.ts';
import { planBuild } from './plan-build.ts';

function warnings(text: string, input: Partial<PlanInput> = {}): readonly PlanWarning[] {
  return planBuild(parseDockerfile(text), {
    target: undefined,
    buildArgs: {},
    labels: {},
    platform: { os: 'linux', architecture: 'amd64' },
    networkMode: 'default',
    findImage: (name) => ({
      id: digestOf(name),
      config: {
        os: 'linux',
        architecture: name.startsWith('foreign') ? 'arm64' : 'amd64',
        config: { Env: ['FROM_BASE=yes'], ...(name === 'shelled' ? { Shell: ['/bin/bash', '-c'] } : {}) },
        rootfs: { type: 'layers', diff_ids: [] },
      },
    }),
    ...input,
  }).warnings;
}

/** `line rule: message` each. */
function told(text: string, input?: Partial<PlanInput>): readonly string[] {
  return warnings(text, input).map(({ code, message, line }) => `${line} ${code}: ${message}`);
}

describe('build checks', () => {
  const cases: readonly (readonly [text: string, ...expected: string[]])[] = [
    ['FROM a AS Big', "1 StageNameCasing: Stage name 'Big' should be lowercase"],
    ['FROM a as b', "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"],
    ['from a AS b', "1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"],
    ['from a as b\nrun x'],
    ['FROM a\nRUN b \\\n\n c', '4 NoEmptyContinuation: Empty continuation line'],
    ['FROM a\nRUN b \\\n# comment\n c'],
    [
      'FROM a\nrun b\nRUN c',
      "2 ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)",
    ],
    [
      'from a\nRun b\nrun c',
      "2 ConsistentInstructionCasing: Command 'Run' should match the case of the command majority (lowercase)",
    ],
    ['FROM a AS b\nFROM c AS b', '2 DuplicateStageName: Duplicate stage name "b", stage names should be unique'],
    ['FROM a AS context', '1 ReservedStageName: Stage name should not use the same name as reserved stage "context"'],
    [
      'FROM a\nENTRYPOINT x',
      '2 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals',
    ],
    ['FROM a\nSHELL ["s"]\nCMD x'],
    ['FROM shelled\nCMD x'],
    ['FROM a AS b\nSHELL ["s"]\nFROM b\nCMD x'],
    ['FROM a\nCMD ["x"]'],
    ['FROM a\nMAINTAINER me', '2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label'],
    ['ARG tag=1\nFROM a:$tag${version}', "2 UndefinedArgInFrom: FROM argument 'version' is not declared"],
    ['ARG v\nFROM a${v:-x}'],
    ['FROM a${v:-x}', "1 UndefinedArgInFrom: FROM argument 'v' is not declared"],
    [
      'ARG VERSION=1\nFROM a:x$VERSOIN',
      "2 UndefinedArgInFrom: FROM argument 'VERSOIN' is not declared (did you mean VERSION?)",
    ],
    [
      'FROM a\nWORKDIR app/\nWORKDIR sub',
      '2 WorkdirRelativePath: Relative workdir "app/" can have unexpected results if the base image changes',
    ],
    ['FROM a AS b\nWORKDIR /app\nFROM b\nWORKDIR sub'],
    ['FROM a\nCOPY $foo .\nARG foo=1', "2 UndefinedVar: Usage of undefined variable '$foo'"],
    ['FROM a\nARG foo\nCOPY x$foo .'],
    ['FROM a AS b\nARG foo=1\nFROM b\nCOPY $foo .'],
    ['FROM a\nCOPY ${foo:-x} $FROM_BASE /', "2 UndefinedVar: Usage of undefined variable '$foo'"],
    ['FROM a\nENV P=$P:/x', "2 UndefinedVar: Usage of undefined variable '$P'"],
    ['FROM a\nENV PATH=$PAHT:/x', "2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    [
      'FROM a\nCMD ["a"]\nHEALTHCHECK NONE\nCMD ["b"]\nHEALTHCHECK NONE',
      '2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
      '3 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
    ],
    [
      'FROM a\nENV b c\nLABEL d e',
      '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
      '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
    ],
    [
      'FROM --platform=${TARGETPLATFORM} a',
      '1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior',
    ],
    ['FROM --platform=$BUILDPLATFORM a'],
    [
      'FROM --platform=linux/amd64 a',
      '1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"',
    ],
    ['FROM --platform=linux/amd64 a AS my_amd64'],
    [
      'FROM foreign',
      '1 InvalidBaseImagePlatform: Base image foreign was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
    ],
    [
      'FROM a\nARG API_TOKEN\nENV PASSWORD=1 KEY_FILE=2',
      '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")',
      '3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "PASSWORD")',
    ],
    [
      'FROM a\nARG t=TcP\nEXPOSE 80/$t 127.0.0.1:80:81 $x',
      "3 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:81'",
      "3 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
    ],
    ['# any comment\nFROM a AS b\n# more\nARG c'],
    [
      '# check=experimental=all\n\n# any comment\nFROM a AS b\n\n# other\n\nARG c\n# c is described\nARG c',
      '4 InvalidDefinitionDescription: Comment for FROM should follow the format: `# b <description>`',
    ],
  ];
  for (const [text, ...expected] of cases) {
    it(`of ${JSON.stringify(text)}: ${expected.length === 0 ? 'nothing' : expected.map((line) => line.split(':', 1)[0]).join(', ')}`, () => {
      assert.deepEqual([...told(text)].toSorted(), expected.toSorted());
    });
  }

  it('are all shown above, or in the tests below', () => {
    const shown = new Set(cases.flatMap(([, ...lines]) => lines.map((line) => line.split(/[ :]/)[1])));
    assert.deepEqual(
      Object.keys(RULES).filter((rule) => !shown.has(rule)),
      ['CopyIgnoredFile', 'InvalidDefaultArgInFrom'],
    );
  });

  it('find files that are copied, but ignored', () => {
    const ignore = parseIgnore('secret\n*.log');
    assert.deepEqual(told('FROM a\nCOPY secret/x a.log b /\nADD b /', { ignore }), [
      '2 CopyIgnoredFile: Attempting to Copy file "secret/x" that is excluded by .dockerignore',
      '2 CopyIgnoredFile: Attempting to Copy file "a.log" that is excluded by .dockerignore',
    ]);
    assert.deepEqual(told('FROM a\nCOPY secret/x /', { ignore: parseIgnore('secret\n!secret/x') }), []);
    assert.deepEqual(told('FROM b AS a\nFROM c\nCOPY --from=a secret /', { ignore }), []);
  });

  it('look at what ARGs are without --build-arg', () => {
    const text = 'ARG VERSION\nFROM a:$VERSION';
    assert.deepEqual(told(text, { buildArgs: { VERSION: '1' } }), [
      '2 InvalidDefaultArgInFrom: Default value for ARG a:$VERSION results in empty or invalid base image name',
    ]);
  });

  it('find nothing in the example of the documentation', () => {
    const page = readFileSync(new URL('../../../../docs/dockerfile.md', import.meta.url), 'utf8');
    const example = /```dockerfile\n([^]*?)```/.exec(page)?.[1] ?? '';
    assert.deepEqual(told(example), []);
  });

  it('leave out stages that are not needed, unless all are checked', () => {
    const text = 'FROM a AS b\nENV c d\nFROM a';
    assert.deepEqual(told(text), []);
    assert.equal(told(text, { allStages: true }).length, 1);
  });

  // shows: # check
  it('are skipped by the directive, by a comment above, or all', () => {
    const body = 'FROM a AS B\nENV c d\n';
    assert.deepEqual(
      warnings(`# check=skip=StageNameCasing\n${body}`).map(({ code }) => code),
      ['LegacyKeyValueFormat'],
    );
    assert.deepEqual(told(`# check=skip=all\n${body}`), []);
    assert.deepEqual(
      warnings('FROM a AS B\n# check=skip=LegacyKeyValueFormat\nENV c d\nENV e f\n').map(({ line }) => line),
      [1, 4],
    );
    assert.deepEqual(told(body, { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: 'skip=all' } }), []);
  });

  it('are errors where the directive says so, and only the told ones', () => {
    const fails = (text: string): UserError | undefined => {
      try {
        warnings(text);
        return undefined;
      } catch (error) {
        assert.ok(error instanceof UserError);
        return error;
      }
    };
    const error = fails('# check=error=true\nFROM a\nENV c d\n');
    assert.equal(error?.code, 'dockerfile-checks-failed');
    assert.match(
      error.message,
      /^Dockerfile:3:1: 1 build check failed:\n {2}line 3: LegacyKeyValueFormat: .*\n {2}3 \| ENV c d\n/,
    );
    assert.match(error.fix, /# check=skip=LegacyKeyValueFormat/);
    assert.equal(fails('# check=skip=LegacyKeyValueFormat;error=true\nFROM a\nENV c d\n'), undefined);
    assert.match(fails('# check=skpi=all\nFROM a')?.fix ?? '', /Did you mean skip/);
    assert.match(fails('# check=error=perhaps\nFROM a')?.message ?? '', /^Dockerfile:1:1: error is true or false/);
  });

  it('tell of mistyped names in the directive', () => {
    assert.deepEqual(told('# syntax=docker/dockerfile:1\n# check=skip=StageNameCassing\nFROM a'), [
      '2 check-unknown: the check StageNameCassing is not known; did you mean StageNameCasing?',
    ]);
  });

  it('of any configuration end, with findings or a problem', () => {
    const word = fc.constantFrom(
      'skip',
      'error',
      'experimental',
      'all',
      'true',
      '=',
      ';',
      ',',
      ' ',
      'StageNameCasing',
      'x',
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        try {
          told(`# check=${words.join('')}\nFROM a AS B`);
        } catch (error) {
          assert.ok(error instanceof UserError, String(error));
        }
      }),
    );
  });
});
