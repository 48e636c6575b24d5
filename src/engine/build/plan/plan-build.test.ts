import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../../lib/errors.ts';
import { digestOf } from '../../../lib/oci/index.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { actionText, keyOf } from './key.ts';
import type { Action, BaseImage, BuildPlan, PlanInput, RunAction, StagePlan } from './plan.ts';
import { planBuild } from './plan-build.ts';

const BUSYBOX: BaseImage = {
  id: digestOf('busybox'),
  config: {
    os: 'linux',
    architecture: 'amd64',
    config: { Env: ['PATH=/bin', 'FROM_BASE=yes'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [] },
  },
};

function plan(text: string, input: Partial<PlanInput> = {}): BuildPlan {
  return planBuild(parseDockerfile(text), {
    target: undefined,
    buildArgs: {},
    labels: {},
    platform: { os: 'linux', architecture: 'amd64' },
    networkMode: 'default',
    findImage: (name) => (name === 'busybox' ? BUSYBOX : undefined),
    ...input,
  });
}

function last(build: BuildPlan): StagePlan {
  const stage = build.stages.at(-1);
  assert.ok(stage);
  return stage;
}

function actions<K extends Action['kind']>(stage: StagePlan, kind: K): Extract<Action, { kind: K }>[] {
  return stage.steps.map(({ action }) => action).filter((action) => action.kind === kind) as never;
}

function runs(text: string, input: Partial<PlanInput> = {}): readonly RunAction[] {
  return actions(last(plan(text, input)), 'run');
}

describe('stages', () => {
  it('that the target does not need are not planned', () => {
    const text = 'FROM busybox AS a\nFROM busybox AS b\nRUN no\nFROM busybox AS c\nCOPY --from=a /x /\nFROM b AS d\n';
    assert.deepEqual(
      plan(text, { target: 'c' }).stages.map(({ name }) => name),
      ['a', 'c'],
    );
    assert.deepEqual(
      plan(text).stages.map(({ name }) => name),
      ['b', 'd'],
    );
    assert.deepEqual(
      plan(text, { target: '0' }).stages.map(({ name }) => name),
      ['a'],
    );
  });

  it('are numbered through over what is needed', () => {
    const build = plan('FROM busybox AS no\nRUN x\nFROM busybox\nRUN a\nRUN b\n');
    assert.deepEqual(
      build.stages.flatMap(({ steps }) => steps.map(({ number }) => number)),
      [1, 2, 3],
    );
    assert.equal(build.totalSteps, 3);
  });

  it('are named by arguments before the first FROM', () => {
    assert.equal(last(plan('ARG A=busy\nARG B=${A}box\nFROM $B')).base.kind, 'image');
    assert.equal(last(plan('ARG B\nFROM ${B:-scratch}')).base.kind, 'scratch');
  });

  it('have only what their base is, when they begin with another', () => {
    const build = plan('FROM busybox AS a\nENV X=1\nWORKDIR /w\nCMD ["x"]\nFROM a\nENTRYPOINT ["y"]\n');
    const { Env, WorkingDir, Cmd, Entrypoint } = last(build).config;
    assert.deepEqual([Env, WorkingDir, Cmd, Entrypoint], [['PATH=/bin', 'FROM_BASE=yes', 'X=1'], '/w', null, ['y']]);
  });
});

describe('variables', () => {
  it('of ENV hide those of ARG, and are seen from the next instruction on', () => {
    const text = 'FROM busybox\nARG V=arg\nENV V=env W=$V\nENV X=$V\nRUN x\n';
    assert.deepEqual(runs(text)[0]?.env, ['PATH=/bin', 'FROM_BASE=yes', 'V=env', 'W=arg', 'X=env']);
  });

  it('of the build reach RUN only where an ARG declares them', () => {
    const text = 'FROM busybox\nRUN a\nARG V=default\nRUN b\n';
    const [before, after] = runs(text, { buildArgs: { V: 'given' } });
    assert.ok(!before?.env.includes('V=given'));
    assert.ok(after?.env.includes('V=given'));
    assert.ok(runs(text, { buildArgs: { V: null } })[1]?.env.includes('V=default'));
  });

  it('that are proxies are passed on, and change no cache key', () => {
    const [run] = runs('FROM busybox\nRUN a', { buildArgs: { http_proxy: 'p' } });
    assert.deepEqual(run?.passingEnv, ['HTTP_PROXY=p', 'http_proxy=p']);
    assert.equal(run && actionText(run), actionText(runs('FROM busybox\nRUN a')[0]!));
  });

  it('of the platform are there when they are declared', () => {
    assert.ok(runs('FROM busybox\nARG TARGETARCH\nRUN a')[0]?.env.includes('TARGETARCH=amd64'));
    assert.equal(last(plan('FROM --platform=$BUILDPLATFORM busybox')).base.kind, 'image');
  });

  it('that nothing uses are warned of, with the nearest', () => {
    const [warning] = plan('FROM busybox\nARG VERSION', { buildArgs: { VERSON: '1' } }).warnings;
    assert.match(warning?.message ?? '', /VERSON is not used; did you mean VERSION\?/);
  });
});

describe('instructions', () => {
  it('RUN goes through the shell of the stage, or as it is', () => {
    const text = 'FROM busybox\nRUN a b\nRUN ["a", "b"]\nSHELL ["/bin/ash", "-ec"]\nRUN a b\n';
    assert.deepEqual(
      runs(text).map(({ args }) => args),
      [
        ['/bin/sh', '-c', 'a b'],
        ['a', 'b'],
        ['/bin/ash', '-ec', 'a b'],
      ],
    );
  });

  it('WORKDIR builds on the one before, and COPY on it', () => {
    const stage = last(plan('FROM busybox\nWORKDIR /a\nWORKDIR b/../c\nCOPY x y/\nCOPY x ./\nCOPY ./d/../e /f\n'));
    assert.deepEqual(
      actions(stage, 'workdir').map(({ path }) => path),
      ['/a', '/a/c'],
    );
    const copies = actions(stage, 'copy').map((copy) => [
      copy.sources.map(({ path }) => path),
      copy.destination,
      copy.intoDirectory,
    ]);
    assert.deepEqual(copies, [
      [['x'], '/a/c/y', true],
      [['x'], '/a/c', true],
      [['e'], '/f', false],
    ]);
  });

  it('say in the history what BuildKit says', () => {
    const text = 'FROM busybox\nARG A=1\nRUN x\nCOPY --chown=1 a /b\nCMD ["a","b"]\nEXPOSE 80\n';
    const { steps } = last(plan(text));
    assert.deepEqual(
      steps.map(({ createdBy }) => createdBy),
      [
        undefined,
        'ARG A=1',
        'RUN |1 A=1 /bin/sh -c x # buildkit',
        'COPY --chown=1 a /b # buildkit',
        'CMD ["a" "b"]',
        'EXPOSE [80/tcp]',
      ],
    );
  });
});

describe('errors', () => {
  for (const [text, code, message] of [
    [
      'FROM busybox\n  FRM x',
      'dockerfile-invalid',
      /^Dockerfile:2:3: unknown instruction "FRM"\n {2}2 \|   FRM x\n {4}\|   \^$/,
    ],
    ['FROM busybox\nCOPY --form=a x /', 'dockerfile-invalid', /^Dockerfile:2:6: unknown flag --form/],
    ['FROM busybox\nRUN --mount=type=chache,target=/x y', 'dockerfile-invalid', /unknown type of mount "chache"/],
    ['FROM --platform=linux/s390x busybox', 'dockerfile-unsupported', /building for linux\/s390x on linux\/amd64/],
    ['FROM busybox\nENV A=${B', 'dockerfile-invalid', /^Dockerfile:2:5: cannot expand/],
    ['FROM busybox\nRUN a \\\n  && b\n\nCOPY x', 'dockerfile-invalid', /^Dockerfile:5:1: COPY needs arguments/],
    ['RUN x\nFROM busybox', 'dockerfile-invalid', /^Dockerfile:1:1: RUN stands before the first FROM/],
    [
      'FROM busybox AS first\nCOPY --from=later x /\nFROM busybox AS later\nFROM first',
      'dockerfile-invalid',
      /names this stage or a later one/,
    ],
    ['FROM busybox\nFROM 0', 'image-not-found', /no such image: 0/],
    ['FROM busybox\nEXPOSE eighty', 'dockerfile-invalid', /"eighty" is no port/],
    ['FROM busybox\nCOPY <<E /x\nabc', 'dockerfile-invalid', /^Dockerfile:2:6: unterminated heredoc/],
  ] as const) {
    it(`of ${JSON.stringify(text)} say where and what`, () => {
      assert.throws(
        () => plan(text),
        (error) => {
          assert.ok(error instanceof UserError);
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it('propose the nearest word', () => {
    for (const [text, word] of [
      ['FROM busybox\nFRM x', 'FROM'],
      ['FROM busybox\nCOPY --form=a x /', '--from'],
      ['FROM busybox\nRUN --mount=type=chache,target=/x y', 'cache'],
      ['FROM busybox AS builder\nFROM bulider', 'builder'],
    ] as const) {
      assert.throws(
        () => plan(text),
        (error) => error instanceof UserError && error.fix.includes(`Did you mean`) && error.fix.includes(word),
        text,
      );
    }
  });
});

describe('any Dockerfile', () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9$"'{}:\\<=\-/.[\], ]{0,12}$/);
  const keyword = fc.constantFrom(
    'FROM',
    'RUN',
    'COPY',
    'ADD',
    'ENV',
    'ARG',
    'LABEL',
    'EXPOSE',
    'CMD',
    'ONBUILD',
    'HEALTHCHECK',
    'VOLUME',
    'SHELL',
    'STOPSIGNAL',
    'WORKDIR',
    'ONBUILD COPY',
    'RUN --mount=type=cache,target=/c,',
    'RUN --mount=type=secret,',
    'COPY --parents --link',
    'COPY --chmod=',
    'ADD --checksum=',
    'ADD https://h/r.git?',
    'COPY <<E',
    'RUN <<-"E"',
    'E',
    '# check=',
    '#',
    '',
  );
  const line = fc
    .tuple(keyword, word, word, fc.constantFrom('', ' \\'))
    .map(([k, a, b, end]) => `${k} ${a} ${b}${end}`);

  it('is planned, or refused with a position: nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        try {
          plan(['FROM busybox', ...lines].join('\n'));
        } catch (error) {
          assert.ok(error instanceof UserError, String(error));
          assert.match(error.message, /^Dockerfile:\d+:\d+/);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('has positions that point at its instructions', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('RUN a', 'RUN a \\\n b', '# c', '', '  ENV a=b'), { maxLength: 12 }),
        (parts) => {
          const text = ['FROM busybox', ...parts].join('\n');
          const lines = text.split('\n');
          for (const { position, keyword: name } of parseDockerfile(text).instructions) {
            assert.ok(
              lines[position.line - 1]
                ?.slice(position.column - 1)
                .toLowerCase()
                .startsWith(name),
            );
          }
        },
      ),
    );
  });

  it('gives the same plan every time, with stages after those that they need', () => {
    const text = 'FROM busybox AS a\nRUN x\nFROM busybox AS b\nCOPY --from=a /x /\nFROM a\nCOPY --from=b /x /\n';
    const build = plan(text);
    assert.deepEqual(plan(text), build);
    const seen = new Set<number>();
    for (const stage of build.stages) {
      assert.ok(stage.needs.every((needed) => seen.has(needed)));
      seen.add(stage.index);
    }
  });
});

describe('cache keys', () => {
  it('differ where parts differ, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (a, b) => {
        assert.equal(keyOf(...a) === keyOf(...b), JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it('change with what a RUN sees', () => {
    const texts = [
      'RUN a',
      'RUN b',
      'ENV A=1\nRUN a',
      'USER 1\nRUN a',
      'WORKDIR /x\nRUN a',
      'RUN --network=none a',
      'RUN --mount=type=cache,target=/c a',
    ];
    const keys = texts.map((text) => actionText(runs(`FROM busybox\n${text}`)[0]!));
    assert.equal(new Set(keys).size, texts.length);
  });
});
