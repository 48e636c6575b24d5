import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';
import { cannotRunContainers } from '../support/docker-engine.ts';

describe('the Dockerfile language', { skip: cannotRunContainers() }, () => {
  let bench: BuildBench;

  before(async () => {
    bench = await openBuildBench();
  });
  after(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  async function output(...lines: readonly string[]): Promise<string> {
    return (await bench.build({ files: { Dockerfile: lines.join('\n') } })).output;
  }

  // shows: ARG, ENV, platform ARGs, ${v:-w} ${v-w}, ${v#p} ${v##p}, ${v/p/r} ${v//p/r}
  it('hands variables on to stages, and expands them where they stand', async () => {
    const text = await output(
      'ARG IMAGE=idlebusybox',
      'FROM ${IMAGE#idle} AS one',
      'ARG a=1 b="two words"',
      'ENV c=${b/two/three} d=${unset:-$a}',
      'ARG TARGETOS TARGETSTAGE',
      'FROM one AS final',
      'RUN echo "$a|$b|$c|$d|$TARGETOS|$TARGETSTAGE"',
      'ENV a=env',
      'RUN echo "$a"',
    );
    assert.equal(text, '1|two words|three words|1|linux|final\nenv\n');
  });

  // shows: here-document in RUN, here-document in COPY, here-document in ADD
  it('runs here-documents, and writes them', async () => {
    const text = await output(
      'FROM busybox',
      'ARG who=world',
      'RUN <<EOF',
      'greeting=Hello',
      'echo "$greeting $who"',
      'EOF',
      'RUN <<EOF',
      '#!/bin/awk -f',
      'BEGIN { print "awk" }',
      'EOF',
      'RUN cat <<-A | tr a-z A-Z; cat 3<<B <&3',
      '\tfirst',
      'A',
      'second',
      'B',
      'COPY --chmod=640 <<one <<"two" /d/',
      '"$who" \\$who',
      'one',
      '$who \\x',
      'two',
      'ADD --chown=7 <<three /d/',
      '3',
      'three',
      'RUN cat /d/one /d/two /d/three; stat -c "%a %u" /d/one /d/three',
    );
    assert.equal(text, 'Hello world\nawk\nFIRST\nsecond\n"world" $who\n$who \\x\n3\n640 0\n644 7\n');
  });

  // shows: here-document in ONBUILD, ONBUILD
  it('does ONBUILD of an image and of a stage, each once', async () => {
    await bench.build({
      files: {
        Dockerfile: 'FROM busybox\nONBUILD ARG name=image\nONBUILD RUN <<EOF\necho "of $name"\nEOF\n',
      },
      tags: ['triggers:1'],
    });
    const text = await output(
      'FROM triggers:1 AS one',
      'ONBUILD RUN echo of stage',
      'FROM one AS two',
      'FROM two',
      'RUN echo end',
    );
    assert.equal(text, 'of image\nof stage\nend\n');
  });

  // shows: FROM, COPY --from
  it('begins a stage with the files of a named context', async () => {
    const path = bench.context({ 'bin/tool': 'x', '.dockerignore': 'bin/no', 'bin/no': '' });
    const { output: text, image } = await bench.build({
      files: { Dockerfile: 'FROM tools AS t\nLABEL a=b\nFROM busybox\nCOPY --from=t / /t\nRUN ls /t/bin' },
      namedContexts: { tools: { kind: 'directory', path } },
    });
    assert.equal(text, 'tool\n');
    const own = await bench.build({
      files: { Dockerfile: 'FROM tools\nCMD ["/bin/tool"]' },
      namedContexts: { tools: { kind: 'directory', path } },
    });
    assert.equal(own.image.config.rootfs.diff_ids.length, 1);
    assert.equal(own.image.config.history?.filter((entry) => entry.empty_layer !== true).length, 1);
    assert.equal(image.config.config?.Labels?.['a'], undefined);
  });

  // shows: # check
  it('warns of what the build checks find, or fails', async () => {
    const { events } = await bench.build({
      files: { Dockerfile: 'FROM busybox AS Big\nENV a b\nCOPY x /\n', '.dockerignore': 'y', x: '' },
    });
    const codes = events.flatMap((event) => (event.kind === 'warning' ? [`${event.line} ${event.code}`] : []));
    assert.deepEqual(codes, ['1 StageNameCasing', '2 LegacyKeyValueFormat']);
    await assert.rejects(
      output('# check=error=true', 'FROM busybox', 'MAINTAINER me'),
      (error) => error instanceof UserError && error.code === 'dockerfile-checks-failed',
    );
  });

  // shows: .dockerignore of a Dockerfile, .dockerignore
  it('takes the ignore file of the Dockerfile, else that of the context', async () => {
    const files = {
      'App.Dockerfile': 'FROM busybox\nCOPY . /c\nRUN ls /c',
      'App.Dockerfile.dockerignore': '*\n!a*\n',
      Dockerfile: 'FROM busybox\nCOPY . /c\nRUN ls /c',
      '.dockerignore': '**\n!b\n',
      a: '',
      'a.md': '',
      b: '',
    };
    assert.equal((await bench.build({ files, dockerfile: 'App.Dockerfile' })).output, 'a\na.md\n');
    assert.equal((await bench.build({ files })).output, 'b\n');
  });
});
