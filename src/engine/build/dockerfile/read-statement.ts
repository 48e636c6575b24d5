import { parseDurationMs } from '../../../lib/duration.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import type { HealthcheckConfig } from '../../../lib/oci/index.ts';
import { type FlagSet, readFlags } from './flags.ts';
import { heredocStart } from './heredoc-start.ts';
import type { FlagValue, Instruction } from './parse.ts';
import { readRunMount } from './run-mount.ts';
import { errorAt, parseErrorOn, type Source } from './source.ts';
import { type Command, KEYWORDS, type Statement, type StatementBody } from './statement.ts';

/**
 * Understands one instruction: its flags, the number and form of its arguments.
 * @throws UserError `dockerfile-invalid` with the nearest valid word, `dockerfile-unsupported`
 */
export function readStatement(source: Source, instruction: Instruction): Statement {
  const read = READERS[instruction.keyword];
  if (read === undefined) throw unknownInstruction(source, instruction);
  const flags = readFlags(source, instruction);
  return { ...read({ source, instruction, flags }), instruction };
}

interface Reading {
  readonly source: Source;
  readonly instruction: Instruction;
  readonly flags: FlagSet;
}

type Reader = (o: Reading) => StatementBody;

const READERS: Readonly<Record<string, Reader>> = {
  from: readFrom,
  run: readRun,
  copy: (o) => readCopy(o, false),
  add: (o) => readCopy(o, true),
  env: (o) => ({ kind: 'env', pairs: pairsOf(o) }),
  label: (o) => ({ kind: 'label', pairs: pairsOf(o) }),
  arg: readArg,
  workdir: (o) => ({ kind: 'workdir', value: single(o) }),
  user: (o) => ({ kind: 'user', value: single(o) }),
  stopsignal: (o) => ({ kind: 'stopsignal', value: single(o) }),
  maintainer: (o) => ({ kind: 'maintainer', value: single(o) }),
  expose: (o) => ({ kind: 'expose', values: atLeastOne(o) }),
  volume: (o) => ({ kind: 'volume', values: atLeastOne(o) }),
  cmd: (o) => ({ kind: 'cmd', command: commandOf(o.instruction.args, o.instruction.isJson) }),
  entrypoint: (o) => ({ kind: 'entrypoint', command: commandOf(o.instruction.args, o.instruction.isJson) }),
  shell: readShell,
  healthcheck: readHealthcheck,
  onbuild: readOnbuild,
};

function unknownInstruction(source: Source, instruction: Instruction): Error {
  const spelled = instruction.original.split(/\s/, 1)[0] ?? '';
  const near = nearestWord(spelled, KEYWORDS);
  return errorAt(source, instruction.position, {
    message: `unknown instruction "${spelled}"`,
    docker: parseErrorOn(
      instruction.position,
      `unknown instruction: ${spelled}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    ),
    fix: near === undefined ? `An instruction is one of ${KEYWORDS.join(', ')}.` : `Did you mean ${near}?`,
  });
}

function readFrom({ source, instruction, flags }: Reading): StatementBody {
  const [image, as, name] = instruction.args;
  const isPlain = instruction.args.length === 1;
  const isNamed = instruction.args.length === 3 && as?.toLowerCase() === 'as';
  if (image === undefined || !(isPlain || isNamed)) {
    throw errorAt(source, instruction.position, {
      message: 'FROM takes one image, or one image and AS with a name',
      fix: 'Write FROM image, or FROM image AS name.',
    });
  }
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name.toLowerCase())) {
    throw errorAt(source, instruction.restPosition, {
      message: `invalid name of a build stage: "${name}"`,
      fix: 'It begins with a letter, and has letters, digits, "-", "_" and ".".',
    });
  }
  return { kind: 'from', image, platform: flags.get('platform')?.value, name: name?.toLowerCase() };
}

function readRun({ source, instruction, flags }: Reading): StatementBody {
  const network = flags.get('network')?.value ?? 'default';
  if (network !== 'default' && network !== 'none' && network !== 'host') {
    throw errorAt(source, flags.get('network')?.flag.position ?? instruction.position, {
      message: `unknown network "${network}"`,
      fix:
        nearestWord(network, ['default', 'none', 'host']) === undefined
          ? 'RUN --network is one of default, none, host.'
          : `Did you mean ${nearestWord(network, ['default', 'none', 'host'])}?`,
    });
  }
  const mounts = flags.all('mount');
  for (const mount of mounts) if (!mount.value.includes('$')) readRunMount(source, mount);
  const security = flags.get('security')?.value ?? 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure') {
    throw errorAt(source, flags.get('security')?.flag.position ?? instruction.position, {
      message: `unknown security "${security}"`,
      fix: 'RUN --security is either sandbox or insecure.',
    });
  }
  const device = flags.get('device');
  if (device !== undefined) throw devicesUnsupported(source, device);
  const command = commandOf(instruction.args, instruction.isJson);
  const isEmpty = command.form === 'shell' ? command.text === '' : command.args.length === 0;
  if (isEmpty) throw missingArguments(source, instruction, 'RUN command');
  return { kind: 'run', command, mounts, network, security, heredocs: instruction.heredocs };
}

function devicesUnsupported(source: Source, { flag }: FlagValue): Error {
  return errorAt(source, flag.position, {
    code: 'dockerfile-unsupported',
    kind: 'unsupported',
    message: 'RUN --device needs devices that the machine describes (CDI), which this engine does not read',
    fix: 'Remove the flag, or do this step in a container that is started with the device.',
  });
}

function readCopy({ source, instruction, flags }: Reading, isAdd: boolean): StatementBody {
  const sources = instruction.args.slice(0, -1);
  const destination = instruction.args.at(-1);
  if (heredocStart(destination ?? '') !== undefined && !instruction.isJson)
    throw heredocDestination(source, instruction);
  if (destination === undefined || sources.length === 0) {
    throw missingArguments(source, instruction, `${instruction.keyword.toUpperCase()} SOURCE... DESTINATION`);
  }
  return {
    kind: 'copy',
    isAdd,
    sources,
    destination,
    from: flags.get('from')?.value,
    chown: flags.get('chown')?.value,
    chmod: flags.get('chmod')?.value,
    link: flags.isOn('link') ?? false,
    parents: flags.isOn('parents') ?? false,
    excludes: flags.all('exclude').map(({ value }) => value),
    checksum: flags.get('checksum')?.value,
    keepsGitDirectory: flags.isOn('keep-git-dir') ?? false,
    unpack: flags.isOn('unpack'),
    heredocs: instruction.heredocs,
  };
}

function heredocDestination(source: Source, instruction: Instruction): Error {
  return errorAt(source, instruction.position, {
    message: `${instruction.keyword.toUpperCase()}: a heredoc cannot be the destination`,
    fix: 'Write the path that it is copied to after it.',
  });
}

function readArg({ source, instruction }: Reading): StatementBody {
  const items = instruction.args.map((word) => {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    if (name === '') {
      throw errorAt(source, instruction.restPosition, {
        message: 'an ARG has no name',
        fix: 'Write ARG name, or ARG name=default.',
      });
    }
    return { name, value: at < 0 ? undefined : word.slice(at + 1) };
  });
  if (items.length === 0) throw missingArguments(source, instruction, 'ARG name[=default]');
  return { kind: 'arg', items };
}

function readShell({ source, instruction }: Reading): StatementBody {
  if (!instruction.isJson || instruction.args.length === 0) {
    throw errorAt(source, instruction.position, {
      message: 'SHELL takes a JSON array',
      docker: parseErrorOn(instruction.position, 'SHELL requires the arguments to be in JSON form'),
      fix: 'Write for example SHELL ["/bin/bash", "-c"].',
    });
  }
  return { kind: 'shell', args: instruction.args };
}

function readHealthcheck({ source, instruction, flags }: Reading): StatementBody {
  const [type = '', ...args] = instruction.args;
  const isNone = type.toUpperCase() === 'NONE' && args.length === 0;
  if (isNone) return { kind: 'healthcheck', check: { Test: ['NONE'] }, command: undefined };
  if (type.toUpperCase() !== 'CMD' || args.length === 0) {
    throw errorAt(source, instruction.restPosition, {
      message: 'HEALTHCHECK takes CMD and a command, or NONE',
      fix: 'Write HEALTHCHECK [flags] CMD command, or HEALTHCHECK NONE.',
    });
  }
  const command = commandOf(args, instruction.isJson);
  const durations = {
    Interval: duration(source, flags, 'interval'),
    Timeout: duration(source, flags, 'timeout'),
    StartPeriod: duration(source, flags, 'start-period'),
    StartInterval: duration(source, flags, 'start-interval'),
    Retries: retries(source, flags),
  };
  const check: HealthcheckConfig = {
    Test: command.form === 'shell' ? ['CMD-SHELL', command.text] : ['CMD', ...command.args],
    ...Object.fromEntries(Object.entries(durations).filter(([, value]) => value !== undefined && value !== 0)),
  };
  return { kind: 'healthcheck', check, command };
}

/** Nanoseconds. */
function duration(source: Source, flags: FlagSet, name: string): number | undefined {
  const given = flags.get(name);
  if (given === undefined) return undefined;
  const ms = parseDurationMs(given.value);
  if (ms !== undefined && (ms === 0 || ms >= 1)) return Math.round(ms * 1e6);
  throw errorAt(source, given.flag.position, {
    message: `--${name}: "${given.value}" is no duration`,
    fix: 'Write it like 500ms, 30s or 1m30s; at least 1ms.',
  });
}

function retries(source: Source, flags: FlagSet): number | undefined {
  const given = flags.get('retries');
  if (given === undefined) return undefined;
  if (/^\d+$/.test(given.value)) return Number(given.value);
  throw errorAt(source, given.flag.position, {
    message: '--retries must be a number',
    fix: 'Write for example --retries=3.',
  });
}

function readOnbuild({ source, instruction }: Reading): StatementBody {
  const { child } = instruction;
  if (child === undefined) throw missingArguments(source, instruction, 'ONBUILD INSTRUCTION');
  if (['onbuild', 'from', 'maintainer'].includes(child.keyword)) {
    throw errorAt(source, child.position, {
      message: `${child.keyword.toUpperCase()} is not allowed in ONBUILD`,
      fix: 'Remove it.',
    });
  }
  readStatement(source, child);
  const bodies = child.heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
  return { kind: 'onbuild', text: child.original + bodies };
}

function commandOf(args: readonly string[], isJson: boolean): Command {
  return isJson ? { form: 'exec', args } : { form: 'shell', text: args[0] ?? '' };
}

function pairsOf({ source, instruction }: Reading): readonly (readonly [string, string])[] {
  const { args } = instruction;
  if (args.length === 0) throw missingArguments(source, instruction, `${instruction.keyword.toUpperCase()} name=value`);
  const pairs: [string, string][] = [];
  for (let index = 0; index < args.length; index += 3) pairs.push([args[index] ?? '', args[index + 1] ?? '']);
  if (pairs.some(([name]) => name === '')) {
    throw errorAt(source, instruction.restPosition, { message: 'a name is empty', fix: 'Write name=value.' });
  }
  return pairs;
}

const FORMS: Readonly<Record<string, string>> = {
  workdir: 'WORKDIR /path',
  user: 'USER name[:group]',
  stopsignal: 'STOPSIGNAL SIGTERM',
  maintainer: 'MAINTAINER name',
  expose: 'EXPOSE port[/protocol] ...',
  volume: 'VOLUME /path ...',
};

function single({ source, instruction }: Reading): string {
  const [value] = instruction.args;
  if (value !== undefined && value !== '') return value;
  throw missingArguments(source, instruction, FORMS[instruction.keyword] ?? 'INSTRUCTION VALUE');
}

function atLeastOne({ source, instruction }: Reading): readonly string[] {
  if (instruction.args.length > 0) return instruction.args;
  throw missingArguments(source, instruction, FORMS[instruction.keyword] ?? 'INSTRUCTION VALUE...');
}

function missingArguments(source: Source, instruction: Instruction, form: string): Error {
  return errorAt(source, instruction.position, {
    message: `${instruction.keyword.toUpperCase()} needs arguments`,
    docker: parseErrorOn(instruction.position, requirementOf(instruction)),
    fix: `Write it as ${form}`,
  });
}

/** As BuildKit's `instructions` package says it. */
function requirementOf({ keyword, args }: Instruction): string {
  const name = keyword.toUpperCase();
  switch (keyword) {
    case 'copy':
    case 'add':
      return args.length === 0
        ? `${name} requires at least one argument`
        : `${name} requires at least two arguments, but only one was provided. Destination could not be determined`;
    case 'workdir':
    case 'user':
    case 'stopsignal':
    case 'maintainer':
      return `${name} requires exactly one argument`;
    default:
      return `${name} requires at least one argument`;
  }
}
