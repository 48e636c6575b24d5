import assert from 'node:assert/strict';
import { UserError } from '../../src/lib/errors.ts';
import { digestOf, type ExecutionConfig } from '../../src/lib/oci/index.ts';
import { parseDockerfile } from '../../src/engine/build/dockerfile/parse.ts';
import type {
  Action,
  BaseImage,
  BuildPlan,
  CopyAction,
  PlanInput,
  RunAction,
  StagePlan,
} from '../../src/engine/build/plan/plan.ts';
import { planBuild } from '../../src/engine/build/plan/plan-build.ts';

function image(config: ExecutionConfig): BaseImage {
  return {
    id: digestOf(JSON.stringify(config)),
    config: { os: 'linux', architecture: 'arm64', config, rootfs: { type: 'layers', diff_ids: [] } },
  };
}

export const IMAGES: Readonly<Record<string, BaseImage>> = {
  base: image({ Env: ['PATH=/bin', 'OF_BASE=yes'], Cmd: ['sh'], WorkingDir: '/base', User: 'me' }),
  triggered: image({ OnBuild: ['ARG MODE=a', 'COPY <<EOF /$MODE\n$MODE\nEOF', 'RUN --mount=from=tools,target=/t x'] }),
  broken: image({ OnBuild: ['COPY --form=x a b'] }),
};

/** A build for linux/arm64/v8 over IMAGES. */
export function plan(text: string, input: Partial<PlanInput> = {}): BuildPlan {
  return planBuild(parseDockerfile(text), {
    target: undefined,
    buildArgs: {},
    labels: {},
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    networkMode: 'default',
    findImage: (name) => IMAGES[name],
    ...input,
  });
}

export function lastStage(text: string, input?: Partial<PlanInput>): StagePlan {
  const stage = plan(text, input).stages.at(-1);
  assert.ok(stage);
  return stage;
}

function actions<K extends Action['kind']>(
  kind: K,
  text: string,
  input?: Partial<PlanInput>,
): Extract<Action, { kind: K }>[] {
  return lastStage(text, input)
    .steps.map(({ action }) => action)
    .filter((action) => action.kind === kind) as never;
}

/** The first RUN of the last stage. */
export function run(text: string, input?: Partial<PlanInput>): RunAction {
  const [first] = actions('run', text, input);
  assert.ok(first);
  return first;
}

/** The first COPY or ADD of the last stage. */
export function copy(text: string, input?: Partial<PlanInput>): CopyAction {
  const [first] = actions('copy', text, input);
  assert.ok(first);
  return first;
}

/** What the first RUN hands to the shell. */
export function script(text: string): string {
  return run(text).args.at(-1) ?? '';
}

export function config(text: string, input?: Partial<PlanInput>): ExecutionConfig {
  return lastStage(text, input).config;
}

export function refused(text: string, message: RegExp, input?: Partial<PlanInput>): void {
  assert.throws(
    () => plan(text, input),
    (error) => error instanceof UserError && message.test(error.message),
    text,
  );
}
