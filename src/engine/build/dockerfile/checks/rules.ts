/** What a build check looks at, with the names of Docker's rules (Build checks reference). */
export interface Rule {
  /** What it complains of. */
  readonly finds: string;
  /** Only where `# check=experimental=…` asks for it. */
  readonly isExperimental: boolean;
}

const rule = (finds: string): Rule => ({ finds, isExperimental: false });

export const RULES = {
  ConsistentInstructionCasing: rule('An instruction is written in another case than most of them.'),
  CopyIgnoredFile: rule('COPY or ADD names a file that .dockerignore leaves out.'),
  DuplicateStageName: rule('Two stages have the same name.'),
  ExposeInvalidFormat: rule('EXPOSE names an address or a port of the host.'),
  ExposeProtoCasing: rule('The protocol of EXPOSE is not in lower case.'),
  FromAsCasing: rule('AS is in another case than FROM.'),
  FromPlatformFlagConstDisallowed: rule('FROM --platform has a constant, and the name of the stage does not say so.'),
  InvalidBaseImagePlatform: rule('The base image is for another platform than the build.'),
  InvalidDefaultArgInFrom: rule('Without --build-arg, FROM gets an empty or invalid name.'),
  InvalidDefinitionDescription: {
    finds: 'The comment above FROM or ARG does not begin with the name that it describes.',
    isExperimental: true,
  },
  JSONArgsRecommended: rule('CMD or ENTRYPOINT is not written as JSON: signals reach a shell, not the program.'),
  LegacyKeyValueFormat: rule('ENV or LABEL has a space where a = belongs.'),
  MaintainerDeprecated: rule('MAINTAINER is used; a label says the same.'),
  MultipleInstructionsDisallowed: rule('A stage has more than one CMD, ENTRYPOINT or HEALTHCHECK: the last one holds.'),
  NoEmptyContinuation: rule('An instruction goes on after an empty line.'),
  RedundantTargetPlatform: rule('FROM --platform=$TARGETPLATFORM says what holds anyway.'),
  ReservedStageName: rule('A stage is named scratch or context.'),
  SecretsUsedInArgOrEnv: rule('ARG or ENV has a name that speaks of a secret.'),
  StageNameCasing: rule('The name of a stage is not in lower case.'),
  UndefinedArgInFrom: rule('FROM uses a variable that no ARG before the first FROM declares.'),
  UndefinedVar: rule('An instruction uses a variable that nothing defines.'),
  WorkdirRelativePath: rule('The first WORKDIR is relative: it depends on the base image.'),
} satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof RULES;

export interface Finding {
  readonly rule: RuleName;
  readonly message: string;
  /** In the Dockerfile, from 1. */
  readonly line: number;
  /** Those above the instruction: a `# check=skip=…` among them holds for it. */
  readonly comments: readonly string[];
}
