import { readFile } from 'node:fs/promises';
import { run } from '../../lib/process.ts';
import type { RuntimeCheck } from './face.ts';
import type { Host } from './host.ts';
import { findInit, findProgram } from './machine.ts';

const PROGRAMS = [
  ['conmon', 'conmon', true],
  ['socat', 'socat', true],
  ['script', 'bsdutils', true],
  ['mount', 'mount', true],
  ['ps', 'procps', false],
] as const;

/** What containers need on this machine. */
export async function checkMachine(host: Host): Promise<readonly RuntimeCheck[]> {
  const version = await run([host.runtime.program, ...host.runtime.leading, '--version']);
  const filesystems = await readFile('/proc/filesystems', 'utf8');
  return [
    line(host.runtime.name, version.exitCode === 0, firstLine(version.stdout), `Reinstall ${host.runtime.name}.`),
    ...PROGRAMS.map(([name, debianPackage]) => programCheck(name, debianPackage)),
    line('overlayfs', /\boverlay$/m.test(filesystems), 'file system overlay', 'Run `modprobe overlay`.'),
    line('control groups', true, `version ${host.machine.cgroupVersion}`, ''),
    line('seccomp', host.machine.seccomp, 'filter of system calls', 'Use a kernel with CONFIG_SECCOMP_FILTER.'),
    line('init (--init)', true, findInit() ?? 'none: install tini for --init', ''),
    line(
      'CAP_SYS_RESOURCE',
      true,
      host.machine.resources.raisesLimits ? 'held' : 'missing: ulimits cannot rise above those of the daemon',
      '',
    ),
  ];
}

function programCheck(name: string, debianPackage: string): RuntimeCheck {
  const path = findProgram(name);
  return line(name, path !== undefined, path ?? 'not installed', `Install the package ${debianPackage}.`);
}

function line(name: string, ok: boolean, detail: string, fix: string): RuntimeCheck {
  return { name, ok, detail, fix: ok ? '' : fix };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
