import { UserError } from '../../../lib/errors.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import { parseReference } from '../../../lib/oci/index.ts';
import { flagPosition } from '../dockerfile/parse.ts';
import { errorAt, unsupportedAt } from '../dockerfile/source.ts';
import { namedContextOf } from './named-context.ts';
import type { StageBase } from './plan.ts';
import { imageMissing, type Planning, type RawStage } from './planning.ts';
import { createExpansion, type Expansion, platformText } from './variables.ts';

export interface FoundBase {
  readonly base: StageBase;
  /** The named context whose files the stage begins with. */
  readonly files: string | undefined;
  /** A named context has the name of the stage: it stands in its place. */
  readonly replaces: boolean;
}

/** What FROM names: a named context, an earlier stage, `scratch`, or an image. */
export function baseOf(planning: Planning, raw: RawStage): FoundBase {
  const replacement = contextBase(planning, raw.from.name ?? '');
  if (replacement !== undefined) return { ...replacement, replaces: true };
  const { globals, automatic } = planning;
  const lookup = (name: string): string | undefined => globals.get(name) ?? automatic.get(name);
  const expansion = createExpansion(planning.source, lookup, planning.escape);
  const name = nameOf(planning, raw, expansion);
  refuseForeignPlatform(planning, raw, expansion);
  const context = contextBase(planning, name);
  if (context !== undefined) return { ...context, replaces: false };
  return { base: plainBase(planning, raw, name), files: undefined, replaces: false };
}

function contextBase({ input }: Planning, name: string): Omit<FoundBase, 'replaces'> | undefined {
  const found = namedContextOf(input, name);
  if (found === undefined) return undefined;
  if (found.context.kind === 'image') return { base: found.context, files: undefined };
  return { base: { kind: 'scratch' }, files: found.key };
}

function nameOf({ source }: Planning, { from }: RawStage, expansion: Expansion): string {
  const name = expansion.word(from.image, from.instruction.restPosition);
  if (name !== '') return name;
  throw errorAt(source, from.instruction.restPosition, {
    message: `the name of the base image is empty: ${from.image}`,
    fix: 'Give the ARG before FROM a default, or pass --build-arg.',
  });
}

function plainBase(planning: Planning, raw: RawStage, name: string): StageBase {
  const stage = planning.stages.slice(0, raw.index).findLast((candidate) => candidate.from.name === name.toLowerCase());
  if (stage !== undefined) return { kind: 'stage', index: stage.index };
  if (name === 'scratch') return { kind: 'scratch' };
  refuseInvalidName(planning, raw, name);
  const image = planning.input.findImage(name);
  if (image !== undefined) return { kind: 'image', image };
  throw imageMissing(planning, raw.from, name);
}

function refuseInvalidName(planning: Planning, { from }: RawStage, name: string): void {
  try {
    parseReference(name);
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    throw errorAt(planning.source, from.instruction.restPosition, {
      message: `"${name}" is no name of an image`,
      fix: 'Write name, name:tag or host/name:tag; names are in lower case.',
      cause,
    });
  }
}

function refuseForeignPlatform(planning: Planning, { from }: RawStage, expansion: Expansion): void {
  if (from.platform === undefined) return;
  const position = flagPosition(from.instruction, 'platform');
  const wanted = expansion.word(from.platform, position);
  const ours = platformText(planning.input.platform);
  if (!/^[a-z0-9_-]+(?:\/[a-z0-9_.-]+){0,2}$/i.test(wanted)) {
    const names = [...from.platform.matchAll(/\$\{?([a-z_][a-z0-9_]*)/gi)].map(([, name = '']) => name);
    const known = [...planning.globals.keys(), ...planning.automatic.keys()];
    const near = names.map((name) => nearestWord(name, known)).find((word) => word !== undefined);
    throw errorAt(planning.source, position, {
      message: `--platform=${from.platform} is ${wanted === '' ? 'empty' : `no platform: "${wanted}"`}`,
      fix: near === undefined ? 'Write os/architecture, for example linux/amd64.' : `Did you mean $${near}?`,
    });
  }
  if (!isOurs(wanted, ours)) throw unsupportedAt(planning.source, position, `building for ${wanted} on ${ours}`);
}

export function isOurs(wanted: string, ours: string): boolean {
  const aliases: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };
  const [os, architecture] = wanted.toLowerCase().split('/');
  const [ourOs, ourArchitecture] = ours.split('/');
  if (architecture === undefined) return os === ourOs || (aliases[os ?? ''] ?? os) === ourArchitecture;
  return os === ourOs && (aliases[architecture] ?? architecture) === ourArchitecture;
}
