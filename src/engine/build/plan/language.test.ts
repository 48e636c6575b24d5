import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { config, copy, IMAGES, lastStage, plan, refused, run, script } from '../../../../test/support/plan.ts';
import type { PlanInput } from './plan.ts';

describe('here-documents', () => {
  // shows: here-document in RUN
  it('of RUN are the script, a program with #!, or the input of a command', () => {
    assert.equal(script('FROM base\nRUN <<EOF\na\n  b $x\nEOF\n'), 'a\n  b $x\n');
    assert.equal(script('FROM base\nRUN <<-EOF\n\ta\n\t\tb\n\tEOF\n'), 'a\nb\n');
    assert.equal(script('FROM base\nRUN <<  EOF\na\nEOF\n'), 'a\n');
    assert.equal(script("FROM base\nRUN 3<<'one'\na\none\n"), 'a\n');
    assert.equal(
      script('FROM base\nRUN cat <<-A 4<<"B" > /x\n\ta\nA\nb\nB\nRUN y\n'),
      'cat <<-A 4<<"B" > /x\n\ta\nA\nb\nB',
    );
    const program = run('FROM base\nRUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF\n');
    assert.deepEqual(program.args, ['/bin/sh', '-c', '/dev/pipes/EOF']);
    assert.deepEqual(program.script, { path: '/dev/pipes/EOF', content: '#!/usr/bin/env python3\nprint(1)\n' });
  });

  it('are not where "<<" stands in quotes, in JSON, or before what is no name', () => {
    for (const line of [
      `RUN echo "<<EOF"`,
      `RUN ["<<EOF"]`,
      'RUN echo $((1 << 2))',
      'RUN cat <<< word',
      'USER <<EOF',
    ]) {
      assert.equal(plan(`FROM base\n${line}\nRUN b\n`).totalSteps, 3, line);
    }
  });

  it('have names with quotes and escapes', () => {
    for (const [word, end, body] of [
      [`eo'f'`, 'eof', '$x\n'],
      [`"EOF"`, 'EOF', '$x\n'],
      [String.raw`eo\'f`, `eo'f`, '\n'],
      ['$EOF', '$EOF', '\n'],
      ['file.txt', 'file.txt', '\n'],
    ] as const) {
      const [file] = copy(`FROM base\nCOPY <<${word} /to\n$x\n${end}\n`).inlineFiles;
      assert.deepEqual(file, { name: end, content: body }, word);
    }
  });

  // shows: here-document in COPY, here-document in ADD
  it('of COPY and ADD are files, with variables unless their name is quoted', () => {
    const text = `FROM base\nARG n=w\nCOPY <<A <<'B' /d/\n$n \${n} "$n" '$n' \\$n \\\\ \\\nA\n$n \\\nB\n`;
    assert.deepEqual(copy(text).inlineFiles, [
      { name: 'A', content: `w w "w" 'w' $n \\ \n` },
      { name: 'B', content: '$n \\\n' },
    ]);
    const add = copy('FROM base\nADD --chmod=700 <<run.sh extra /bin/\nx\nrun.sh\n');
    assert.deepEqual([add.inlineFiles.length, add.sources.map(({ path }) => path)], [1, ['extra']]);
    assert.equal(copy('FROM base\nCOPY <<A /x\r\na\r\nA\r\n').inlineFiles[0]?.content, 'a\r\n');
    assert.equal(copy('FROM base\nCOPY <<-A /x\n\t\ta\n\tA\n').inlineFiles[0]?.content, 'a\n');
    refused('FROM base\nCOPY a <<A\nA\n', /a heredoc cannot be the destination/);
    refused('FROM base\nCOPY <<A /x\na\n', /Dockerfile:2:6: unterminated heredoc: no line "A" follows/);
  });

  // shows: here-document in ONBUILD, ONBUILD
  it('of ONBUILD go with the trigger, which is done in the stages that build on it', () => {
    const text = 'FROM base AS a\nONBUILD RUN <<EOF\nx\nEOF\nONBUILD COPY <<F /y\nz\nF\n';
    assert.deepEqual(config(text).OnBuild, ['RUN <<EOF\nx\nEOF', 'COPY <<F /y\nz\nF']);
    assert.equal(script(`${text}FROM a\n`), 'x\n');
    assert.equal(config(`${text}FROM a\n`).OnBuild, undefined);
    const build = plan('FROM base AS tools\nFROM triggered\nRUN own\n', { buildArgs: { MODE: 'b' } });
    assert.deepEqual(
      build.stages.map(({ name }) => name),
      ['tools', '1'],
    );
    const [trigger, mounted] = build.stages[1]!.steps.filter(({ action }) => action.kind !== 'metadata');
    assert.equal(trigger?.action.kind === 'copy' && trigger.action.inlineFiles[0]?.content, 'b\n');
    assert.equal(mounted?.action.kind === 'run' && mounted.action.mounts[0]?.type, 'bind');
    refused(
      'FROM base\nFROM broken',
      /^Dockerfile:2:1: the base image's "ONBUILD COPY --form=x a b" cannot be done here/,
    );
  });
});

describe('variables', () => {
  // shows: ARG, ENV
  it('of ARG and ENV: the last one of a name holds, and stages hand them on', () => {
    assert.ok(run('FROM base\nARG v=a\nENV v=b\nRUN x').env.includes('v=b'));
    assert.ok(run('FROM base\nENV v=b\nARG v=a\nRUN x').env.includes('v=a'));
    assert.deepEqual(config('FROM base\nENV v=b\nARG v=a').Env, ['PATH=/bin', 'OF_BASE=yes', 'v=b']);
    const handed = 'FROM base AS one\nARG a=1\nENV e=2\nFROM one\nRUN x';
    assert.ok(['a=1', 'e=2', 'OF_BASE=yes'].every((pair) => run(handed).env.includes(pair)));
    assert.ok(run(handed, { buildArgs: { a: 'given' } }).env.includes('a=given'));
    assert.ok(!run('FROM base\nARG unset\nRUN x').env.some((pair) => pair.startsWith('unset')));
    assert.deepEqual(config('FROM base\nENV a=x\nENV a=y b=$a\nENV c="d e" f=g\\ h\nENV i j  k').Env?.slice(2), [
      'a=y',
      'b=x',
      'c=d e',
      'f=g h',
      'i=j  k',
    ]);
  });

  it('of ARG before FROM are seen by FROM, and in a stage that declares them', () => {
    const text = 'ARG a1="foo bar" a2=se\nARG a3="$a2-x"\nFROM ba$a2\nARG a3 a4="1 2" a1\nRUN x';
    assert.ok(['a1=foo bar', 'a3=se-x', 'a4=1 2'].every((pair) => run(text).env.includes(pair)));
    assert.ok(!run('ARG a=1\nFROM base\nRUN x').env.includes('a=1'));
    assert.equal(lastStage(text).steps.at(-1)?.createdBy, 'RUN |3 a3=se-x a4=1 2 a1=foo bar /bin/sh -c x # buildkit');
    refused('ARG a=${a:?"must be told"}\nFROM base', /a: must be told/);
    assert.ok(plan('ARG a=${a:?"must be told"}\nFROM base', { buildArgs: { a: '1' } }));
    refused('FROM base\nARG a\nARG b=${a:?}', /a: must be set and not empty/);
    assert.ok(plan('FROM base\nARG a\nARG b=${a:?}', { buildArgs: { b: '1' } }));
  });

  // shows: platform ARGs, predefined ARGs
  it('are there without being given: of the platforms, the target, the proxies', () => {
    const text =
      'FROM base AS last\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT TARGETSTAGE BUILDPLATFORM\nRUN x';
    const { env } = run(text);
    for (const pair of [
      'TARGETPLATFORM=linux/arm64/v8',
      'TARGETOS=linux',
      'TARGETARCH=arm64',
      'TARGETVARIANT=v8',
      'TARGETSTAGE=last',
      'BUILDPLATFORM=linux/arm64/v8',
    ]) {
      assert.ok(env.includes(pair), pair);
    }
    assert.ok(run('FROM base\nARG TARGETSTAGE\nRUN x').env.includes('TARGETSTAGE=default'));
    const buildArgs = { http_proxy: 'p', NO_PROXY: 'n', SOURCE_DATE_EPOCH: '1', BUILDKIT_INLINE_CACHE: '1' };
    assert.deepEqual(run('FROM base\nRUN x', { buildArgs }).passingEnv, [
      'HTTP_PROXY=p',
      'http_proxy=p',
      'NO_PROXY=n',
      'no_proxy=n',
    ]);
    assert.deepEqual(plan('FROM base', { buildArgs }).warnings, []);
    assert.match(
      plan('FROM base\nARG NAME', { buildArgs: { NMAE: '1' } }).warnings[0]?.message ?? '',
      /did you mean NAME/,
    );
  });

  // shows: LABEL, USER, WORKDIR, VOLUME, EXPOSE, STOPSIGNAL
  it('are expanded where the reference says so', () => {
    const text =
      'FROM base\nARG v=x n=8\nLABEL "a $v"=\'$v\' b=$v\nUSER ${v}:$v\nWORKDIR /$v\nWORKDIR sub\nVOLUME /$v "$v"\nVOLUME ["/a b"]\nEXPOSE ${n}0-82/UDP 127.0.0.1:1:5 9\nSTOPSIGNAL SIG${s:-INT}';
    const { Labels, User, WorkingDir, Volumes, ExposedPorts, StopSignal } = config(text);
    assert.deepEqual(Labels, { 'a x': '$v', b: 'x' });
    assert.deepEqual([User, WorkingDir, StopSignal], ['x:x', '/x/sub', 'SIGINT']);
    assert.deepEqual(Object.keys(Volumes ?? {}), ['/x', 'x', '/a b']);
    assert.deepEqual(Object.keys(ExposedPorts ?? {}).toSorted(), ['5/tcp', '80/udp', '81/udp', '82/udp', '9/tcp']);
    assert.equal(config('FROM base\nWORKDIR /a/../b/').WorkingDir, '/a/../b/');
    assert.equal(config('FROM base\nWORKDIR /a/../b/\nWORKDIR c').WorkingDir, '/b/c');
    assert.equal(config('FROM scratch').WorkingDir, '/');
    for (const signal of ['9', 'KILL', 'SIGRTMIN+3', 'rtmax-1']) assert.ok(plan(`FROM base\nSTOPSIGNAL ${signal}`));
    refused('FROM base\nSTOPSIGNAL 0', /"0" is no signal/);
  });
});

describe('instructions', () => {
  // shows: CMD, ENTRYPOINT, SHELL, RUN
  it('that start processes do so by the shell, or as JSON says', () => {
    assert.deepEqual(config('FROM base\nCMD a "b"').Cmd, ['/bin/sh', '-c', 'a "b"']);
    assert.deepEqual(config('FROM base\nCMD ["a", "b c"]').Cmd, ['a', 'b c']);
    assert.deepEqual(config("FROM base\nCMD ['a']").Cmd, ['/bin/sh', '-c', "['a']"]);
    assert.deepEqual(config('FROM base\nCMD []').Cmd, []);
    assert.deepEqual(config('FROM base\nCMD').Cmd, ['/bin/sh', '-c', '']);
    assert.deepEqual(config('FROM base\nENTRYPOINT ["e"]').Cmd, null);
    assert.deepEqual(config('FROM base\nCMD ["c"]\nENTRYPOINT e').Cmd, ['c']);
    assert.deepEqual(config('FROM base\nSHELL ["bash", "-c"]\nENTRYPOINT e').Entrypoint, ['bash', '-c', 'e']);
    assert.deepEqual(run('FROM base\nSHELL ["bash", "-c"]\nRUN e').args, ['bash', '-c', 'e']);
    assert.deepEqual(run('FROM base\nRUN [ "e",  "$x" ]').args, ['e', '$x']);
    refused('FROM base\nRUN ["a", 1]', /must hold strings only/);
  });

  // shows: HEALTHCHECK, HEALTHCHECK --interval, HEALTHCHECK --timeout, HEALTHCHECK --start-period, HEALTHCHECK --start-interval, HEALTHCHECK --retries
  it('HEALTHCHECK takes a command and times, or NONE', () => {
    const flags = '--interval=1m30s --timeout=500ms --start-period=2s --start-interval=1s --retries=3';
    assert.deepEqual(config(`FROM base\nHEALTHCHECK ${flags} CMD curl -f x`).Healthcheck, {
      Test: ['CMD-SHELL', 'curl -f x'],
      Interval: 90e9,
      Timeout: 5e8,
      StartPeriod: 2e9,
      StartInterval: 1e9,
      Retries: 3,
    });
    assert.deepEqual(config('FROM base\nHEALTHCHECK CMD ["a"]').Healthcheck, { Test: ['CMD', 'a'] });
    assert.deepEqual(config('FROM base\nHEALTHCHECK --interval=0s CMD ["a"]').Healthcheck, { Test: ['CMD', 'a'] });
    assert.deepEqual(config('FROM base\nHEALTHCHECK NONE').Healthcheck, { Test: ['NONE'] });
  });

  // shows: MAINTAINER
  it('MAINTAINER names the author, for stages on it too', () => {
    assert.equal(lastStage('FROM base AS a\nMAINTAINER me <x>\nFROM a').author, 'me <x>');
  });

  // shows: # syntax, # escape
  it('understand directives, comments, continuations and both line ends', () => {
    assert.deepEqual(
      run('#syntax = docker/dockerfile:1\n# escape=`\n\nFROM base\nRUN a `\n  # no\n\n  b\\').args.at(-1),
      'a   b\\',
    );
    assert.equal(script('FROM base\r\nRUN a \\\r\n  b\r\n'), 'a   b');
    assert.equal(script('\uFEFFFROM base\nRUN a \\\n# c\n b'), 'a  b');
    assert.equal(script('FROM base\n# escape=`\nRUN a \\\n b'), 'a  b');
    refused('# escape=`\n# escape=`\nFROM base', /Dockerfile:2:1: only one escape/);
    assert.deepEqual(plan('from base\nrun a').stages.length, 1);
  });
});

describe('stages', () => {
  const namedContexts: PlanInput['namedContexts'] = new Map([
    ['Alpine', { kind: 'image', image: IMAGES['base']! }],
    ['files', { kind: 'files' }],
  ]);

  // shows: FROM
  it('begin with an image, a stage, nothing, or a named context', () => {
    assert.equal(lastStage('FROM base').base.kind, 'image');
    assert.equal(lastStage('FROM scratch').base.kind, 'scratch');
    assert.deepEqual(lastStage('FROM base AS one\nFROM ONE').base, { kind: 'stage', index: 0 });
    assert.equal(lastStage('FROM docker.io/library/alpine:latest', { namedContexts }).base.kind, 'image');
    const ofFiles = lastStage('FROM files', { namedContexts });
    assert.deepEqual([ofFiles.base.kind, ofFiles.steps[0]?.action.kind], ['scratch', 'copy']);
    const replaced = plan('FROM missing AS files\nRUN never\nFROM base\nCOPY --from=files a /\n', { namedContexts });
    assert.deepEqual(
      replaced.stages.map(({ index }) => index),
      [1],
    );
    refused('FROM bad::name', /Dockerfile:1:6: "bad::name" is no name of an image/);
  });

  // shows: FROM --platform
  it('are for the platform of this machine', () => {
    assert.ok(plan('FROM --platform=$BUILDPLATFORM base'));
    assert.ok(plan('FROM --platform=linux/aarch64 base'));
    refused('FROM --platform=linux/s390x base', /building for linux\/s390x on linux\/arm64/);
    refused('FROM --platform=$BULIDPLATFORM base', /is empty/);
    refused('FROM --platform=linux/ base', /is no platform/);
  });
});
