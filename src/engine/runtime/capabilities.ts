/** Docker's fourteen. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** By number, as in linux/capability.h. */
export const ALL_CAPABILITIES: readonly string[] = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID
  SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
  SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
  AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
  CHECKPOINT_RESTORE`
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
}

/** What a container gets. `available` are those that the engine itself has: it cannot give more. */
export function capabilitiesOf(request: CapabilityRequest, available: readonly string[]): readonly string[] {
  const add = request.capAdd.map(canonical);
  const drop = request.capDrop.map(canonical);
  const wanted = new Set(request.privileged || add.includes('CAP_ALL') ? ALL_CAPABILITIES : DEFAULT_CAPABILITIES);
  if (drop.includes('CAP_ALL')) wanted.clear();
  if (drop.includes('CAP_ALL') && add.includes('CAP_ALL')) for (const name of ALL_CAPABILITIES) wanted.add(name);
  for (const name of drop) wanted.delete(name);
  for (const name of add) wanted.add(name);
  return ALL_CAPABILITIES.filter((name) => wanted.has(name) && available.includes(name));
}

/** The first name that is not a capability, or undefined. */
export function unknownCapability(names: readonly string[]): string | undefined {
  return names.find((name) => canonical(name) !== 'CAP_ALL' && !ALL_CAPABILITIES.includes(canonical(name)));
}

/** From the hexadecimal mask in /proc/<pid>/status, e.g. `000001fffeffffff`. */
export function capabilitiesOfMask(mask: string): readonly string[] {
  const bits = BigInt(`0x${mask}`);
  return ALL_CAPABILITIES.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n);
}

function canonical(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}
