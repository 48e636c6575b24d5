import { nearestWord } from '../../../../lib/nearest.ts';
import { parseReference } from '../../../../lib/oci/index.ts';
import { expandWord } from '../expand.ts';
import { type CheckedFile, type CheckedStage, finding } from './checked.ts';
import type { Finding } from './rules.ts';

/** What FROM names, and for which platform. */
export function checkFroms(file: CheckedFile): readonly Finding[] {
  return file.stages.flatMap((stage) => [
    ...checkVariables(file, stage),
    ...checkDefault(file, stage),
    ...checkPlatformFlag(file, stage),
    ...checkBasePlatform(file, stage),
  ]);
}

function checkVariables(file: CheckedFile, { from }: CheckedStage): readonly Finding[] {
  const names = [from.image, from.platform ?? ''].flatMap((text) => undeclaredIn(file, text));
  return [...new Set(names)].map((name) => {
    const near = nearestWord(name, file.defaults.keys());
    const proposal = near === undefined ? '' : ` (did you mean ${near}?)`;
    return finding(from.instruction, 'UndefinedArgInFrom', `FROM argument '${name}' is not declared${proposal}`);
  });
}

function undeclaredIn({ defaults, dockerfile }: CheckedFile, text: string): readonly string[] {
  const undeclared: string[] = [];
  expanded(text, dockerfile.directives.escape, (name) => {
    if (!defaults.has(name)) undeclared.push(name);
    return defaults.get(name);
  });
  return undeclared;
}

function checkDefault({ defaults, dockerfile }: CheckedFile, { from }: CheckedStage): readonly Finding[] {
  const name = expanded(from.image, dockerfile.directives.escape, (variable) => defaults.get(variable));
  if (name === undefined || !from.image.includes('$') || isReference(name)) return [];
  const message = `Default value for ARG ${from.image} results in empty or invalid base image name`;
  return [finding(from.instruction, 'InvalidDefaultArgInFrom', message)];
}

function isReference(name: string): boolean {
  try {
    parseReference(name);
    return true;
  } catch {
    return false;
  }
}

function checkPlatformFlag({ targetPlatform }: CheckedFile, { from }: CheckedStage): readonly Finding[] {
  const { platform, name = '', instruction } = from;
  if (platform === undefined) return [];
  if (/^\$(?:TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(platform)) {
    const message = `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`;
    return [finding(instruction, 'RedundantTargetPlatform', message)];
  }
  const isSaid = platform.split('/').some((word) => word !== '' && name.includes(word));
  if (platform.includes('$') || isSaid || targetPlatform === '') return [];
  const message = `FROM --platform flag should not use constant value "${platform}"`;
  return [finding(instruction, 'FromPlatformFlagConstDisallowed', message)];
}

function checkBasePlatform({ targetPlatform }: CheckedFile, { from, baseImage }: CheckedStage): readonly Finding[] {
  if (baseImage === undefined) return [];
  const part = (text: string): string => text.split('/').slice(0, 2).join('/');
  if (part(baseImage.platform) === part(targetPlatform)) return [];
  const message = `Base image ${from.image} was pulled with platform "${baseImage.platform}", expected "${targetPlatform}" for current build`;
  return [finding(from.instruction, 'InvalidBaseImagePlatform', message)];
}

/** Undefined where it cannot be expanded: the build says so itself. */
function expanded(text: string, escape: string, lookup: Parameters<typeof expandWord>[1]): string | undefined {
  try {
    return expandWord(text, lookup, escape);
  } catch {
    return undefined;
  }
}
