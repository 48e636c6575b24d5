import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseDockerfile } from '../../src/engine/build/dockerfile/parse.ts';
import type { BaseImage, BuildPlan, PlanInput, StagePlan } from '../../src/engine/build/plan/plan.ts';
import { planBuild } from '../../src/engine/build/plan/plan-build.ts';
import type { ExecutionConfig } from '../../src/lib/oci/index.ts';
import { isInstalled } from '../support/installed.ts';
import { type Dockerd, importBusybox, startDockerd } from '../support/machine.ts';

const BUSYBOX = 'FROM busybox\n';

/** What images look like, and what the build checks find. */
const CASES: readonly string[] = [
  `${BUSYBOX}ENV v=b\nARG v=a\nRUN test $v = a\nARG w\nENV c="d e" f=g\\ h i=$v\nENV j k  l\nCMD`,
  'ARG a1="foo bar" a2=box\nARG a3="$a2-x"\nFROM busy$a2 AS One\nARG a3 a4="1 2" a1\nFROM one\nRUN echo $a1$a3$a4\nENTRYPOINT e',
  `${BUSYBOX}ARG v=x n=8\nLABEL "a $v"='$v' b=\${v#x}\${PATH%%:*}\nUSER \${v}:$v\nWORKDIR w\nVOLUME /$v "$v"\nEXPOSE \${n}0-82/UDP 1:5 9\nSTOPSIGNAL SIG\${s:-INT}`,
  `${BUSYBOX}RUN <<EOF\n#!/bin/sh\necho 1\nEOF\nRUN cat <<-A 3<<"B" > /x\n a\nA\nb\nB\nCOPY <<A <<'B' /d/\nx $PATH\nA\n$n \\\nB\nADD --chmod=700 <<run.sh Dockerfile /bin/\nx\nrun.sh`,
  'FROM busybox AS a\nONBUILD RUN <<EOF\necho x\nEOF\nONBUILD ARG TOKEN=1\nFROM a AS scratch\nHEALTHCHECK --interval=1m30s --retries=3 CMD ["a"]\nHEALTHCHECK NONE\nMAINTAINER me',
  '# check=skip=StageNameCasing;error=false\nFROM --platform=$TARGETPLATFORM busybox as Big\nARG API_TOKEN\ncopy $foo Dockerfile /q/\nRUN echo b \\\n\n c\nENV P=$P:/x\nSHELL ["/bin/sh", "-ec"]\nCMD x',
];

const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : isInstalled('dockerd') && spawnSync('docker', ['buildx', 'version']).status === 0
      ? false
      : 'needs dockerd and docker buildx (Debian packages docker.io, docker-buildx)';

describe('plans beside BuildKit', { skip }, () => {
  let folder: string;
  let dockerd: Dockerd;
  let busybox: BaseImage;

  before(async () => {
    folder = mkdtempSync('/var/tmp/bascule-buildkit-');
    dockerd = await startDockerd(join(folder, 'dockerd'), 'dockerd', { hasNetwork: false });
    importBusybox(dockerd.socket, folder);
    const { Id, Architecture, Config } = inspect('busybox');
    const config = {
      os: 'linux',
      architecture: Architecture,
      config: Config,
      rootfs: { type: 'layers', diff_ids: [] },
    };
    busybox = { id: Id as BaseImage['id'], config: config as BaseImage['config'] };
  });
  after(async () => {
    await dockerd?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function docker(...words: readonly string[]): string {
    return execFileSync('docker', ['--host', `unix://${dockerd.socket}`, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** It ends with 1 where it finds something. */
  function checks(context: string): Checks {
    const words = ['--host', `unix://${dockerd.socket}`, 'buildx', 'build', '--call=check,format=json', context];
    return JSON.parse(spawnSync('docker', words, { encoding: 'utf8' }).stdout) as Checks;
  }

  function inspect(name: string): { Id: string; Architecture: string; Config: ExecutionConfig } {
    const [image] = JSON.parse(docker('image', 'inspect', name)) as [ReturnType<typeof inspect>];
    return image;
  }

  function history(name: string): readonly string[] {
    const lines = docker('history', '--no-trunc', '--format', '{{json .CreatedBy}}', name).trim().split('\n');
    return lines.map((line) => JSON.parse(line) as string).toReversed();
  }

  function plan(text: string, input: Partial<PlanInput> = {}): BuildPlan {
    return planBuild(parseDockerfile(text), {
      target: undefined,
      buildArgs: {},
      labels: {},
      platform: { os: 'linux', architecture: busybox.config.architecture },
      networkMode: 'none',
      findImage: (name) => (name === 'busybox' ? busybox : undefined),
      ...input,
    });
  }

  for (const [index, text] of CASES.entries()) {
    it(`of ${JSON.stringify(text.slice(0, 60))}…`, () => {
      const context = mkdtempSync(join(folder, 'context-'));
      writeFileSync(join(context, 'Dockerfile'), text);
      assert.deepEqual(told(plan(text, { allStages: true })), said(checks(context)));
      docker('buildx', 'build', '--quiet', '--network=none', '--tag', `case:${index}`, context);
      const build = plan(text);
      const stage = build.stages.find((one) => one.index === build.target);
      assert.ok(stage);
      assert.deepEqual(shown(stage.config), shown(inspect(`case:${index}`).Config));
      assert.deepEqual(entries(build, stage), history(`case:${index}`).slice(history('busybox').length));
    });
  }
});

interface Checks {
  readonly warnings:
    | null
    | readonly {
        readonly ruleName: string;
        readonly detail: string;
        readonly location: { readonly ranges: readonly { readonly start: { readonly line: number } }[] };
      }[];
}

function said({ warnings }: Checks): readonly string[] {
  return (warnings ?? [])
    .map(({ ruleName, detail, location }) => `${location.ranges[0]?.start.line} ${ruleName}: ${detail}`)
    .toSorted();
}

function told({ warnings }: BuildPlan): readonly string[] {
  return warnings.map(({ code, message, line }) => `${line} ${code}: ${message}`).toSorted();
}

const SHOWN = ['Env', 'Cmd', 'Entrypoint', 'Labels', 'WorkingDir', 'User', 'ExposedPorts', 'Volumes', 'StopSignal', 'Shell', 'Healthcheck', 'OnBuild'] as const; // prettier-ignore

/** Without what is empty. */
function shown(config: ExecutionConfig): Readonly<Record<string, unknown>> {
  const pairs = SHOWN.map((key) => [key, config[key]] as const);
  return Object.fromEntries(
    pairs.filter(([, value]) => value !== null && value !== '' && Object.keys(Object(value)).length > 0),
  );
}

/** `created_by` of the stage and of those that it builds on. */
function entries(build: BuildPlan, { base, steps }: StagePlan): readonly string[] {
  const parent = base.kind === 'stage' ? build.stages.find(({ index }) => index === base.index) : undefined;
  const own = steps.flatMap(({ createdBy }) => createdBy ?? []);
  return parent === undefined ? own : [...entries(build, parent), ...own];
}
