import {
  ALLOWED_ON,
  ALLOWED_WITH,
  ALWAYS_ALLOWED,
  CLONE_NAMESPACE_FLAGS,
  PERSONALITIES,
  SECCOMP_ARCHITECTURES,
  SOCKET_RULES,
} from './seccomp-profile.ts';

const ENOSYS = 38;
const EPERM = 1;

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly object[];
}

interface DockerRule extends Rule {
  readonly name?: string;
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
}

/** What a profile's conditions are about. */
export interface SeccompTarget {
  readonly capabilities: readonly string[];
  /** Go's name, e.g. `amd64`. */
  readonly architecture: string;
}

/** Docker's default profile for a set of capabilities (OCI Runtime Specification, Linux: Seccomp). */
export function renderDefaultSeccomp(target: SeccompTarget): object {
  const held = new Set(target.capabilities);
  const names = new Set([
    ...ALWAYS_ALLOWED,
    ...ALLOWED_ON.filter((rule) => rule.architectures.includes(target.architecture)).flatMap((rule) => rule.names),
    ...Object.entries(ALLOWED_WITH).flatMap(([capability, allowed]) => (held.has(capability) ? allowed : [])),
  ]);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: SECCOMP_ARCHITECTURES[target.architecture] ?? [],
    syscalls: [allow([...names]), ...argumentRules(), ...(held.has('CAP_SYS_ADMIN') ? [] : cloneRules(target))],
  };
}

/** A profile in Docker's JSON format, its conditions applied. */
export function renderCustomSeccomp(profile: object, target: SeccompTarget): object {
  const { archMap, syscalls, ...rest } = profile as { archMap?: readonly ArchMap[]; syscalls?: readonly DockerRule[] };
  const own = SECCOMP_ARCHITECTURES[target.architecture] ?? [];
  const mapped = archMap?.find((entry) => entry.architecture === own[0]);
  const architectures = mapped && [mapped.architecture, ...(mapped.subArchitectures ?? [])];
  return {
    ...rest,
    ...(architectures === undefined ? {} : { architectures }),
    syscalls: (syscalls ?? []).filter((rule) => applies(rule, target)).map((rule) => plainRule(rule)),
  };
}

interface ArchMap {
  readonly architecture: string;
  readonly subArchitectures?: readonly string[] | null;
}

function argumentRules(): readonly Rule[] {
  return [
    ...SOCKET_RULES.map(({ mask, value }) =>
      allow(['socket'], { index: 0, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }),
    ),
    ...PERSONALITIES.map((value) => allow(['personality'], { index: 0, value, op: 'SCMP_CMP_EQ' })),
  ];
}

/** Without CAP_SYS_ADMIN `clone` makes no namespaces; `clone3` hides its flags, so libc falls back to `clone`. */
function cloneRules(target: SeccompTarget): readonly Rule[] {
  const index = target.architecture === 's390x' ? 1 : 0;
  return [
    allow(['clone'], { index, value: CLONE_NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ];
}

function allow(names: readonly string[], argument?: object): Rule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(argument === undefined ? {} : { args: [argument] }) };
}

function applies(rule: DockerRule, target: SeccompTarget): boolean {
  const { includes, excludes } = rule;
  const held = (name: string): boolean => target.capabilities.includes(name);
  if (includes?.caps !== undefined && !includes.caps.every(held)) return false;
  if (excludes?.caps?.some(held)) return false;
  if (includes?.arches?.length && !includes.arches.includes(target.architecture)) return false;
  return !excludes?.arches?.includes(target.architecture);
}

function plainRule(rule: DockerRule): Rule {
  const { includes: _includes, excludes: _excludes, name, ...rest } = rule;
  return name === undefined ? rest : { ...rest, names: [name] };
}
