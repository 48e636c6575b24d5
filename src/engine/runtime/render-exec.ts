import { ALL_CAPABILITIES } from './capabilities.ts';
import type { ExecRequest, TerminalSize } from './face.ts';
import type { OciProcess } from './oci.ts';
import { renderCapabilities, type Machine } from './render-spec.ts';
import type { ResolvedUser } from './users.ts';

export interface ExecInput {
  /** The container's own process. */
  readonly containerProcess: OciProcess;
  readonly request: ExecRequest;
  /** Absent: the container's user. */
  readonly user: ResolvedUser | undefined;
  /** Of the terminal, where there is one. */
  readonly size: TerminalSize;
  readonly machine: Machine;
}

/** A further process: like the container's own, but for what was asked (OCI Runtime Specification, `process`). */
export function renderExecProcess({ containerProcess: own, request, user, size, machine }: ExecInput): OciProcess {
  const identity = user === undefined ? own.user : userOf(user);
  const held = request.privileged
    ? ALL_CAPABILITIES.filter((name) => machine.capabilities.includes(name))
    : own.capabilities.bounding;
  const { consoleSize: _, ...shared } = own;
  return {
    ...shared,
    terminal: request.tty ?? false,
    ...(request.tty ? { consoleSize: { height: size.rows, width: size.columns } } : {}),
    args: request.args,
    env: mergeEnvironment(own.env, [
      ...(user === undefined ? [] : [`HOME=${user.home}`]),
      ...(request.tty ? ['TERM=xterm'] : []),
      ...(request.env ?? []),
    ]),
    cwd: request.workingDirectory || own.cwd,
    user: identity,
    capabilities: renderCapabilities(held, identity.uid),
    noNewPrivileges: request.privileged ? false : own.noNewPrivileges,
  };
}

function userOf({ uid, gid, additionalGids }: ResolvedUser): OciProcess['user'] {
  return { uid, gid, additionalGids };
}

/** The later one of the same name counts. */
function mergeEnvironment(base: readonly string[], more: readonly string[]): readonly string[] {
  const merged = new Map([...base, ...more].map((entry) => [entry.split('=', 1)[0], entry] as const));
  return [...merged.values()];
}
