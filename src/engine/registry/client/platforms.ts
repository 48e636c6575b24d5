import { UserError } from '../../../lib/errors.ts';
import { platformOfNode, type Platform } from '../../../lib/oci/index.ts';

const ARCHITECTURES: Readonly<Record<string, { readonly architecture: string; readonly variant?: string }>> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  i386: { architecture: '386' },
  i686: { architecture: '386' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
};
const KNOWN = ['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64', 'mips64le', 'loong64'];
const SYSTEMS = ['linux', 'windows', 'darwin', 'freebsd'];

/**
 * `os/architecture[/variant]`, or one of the first two alone; the rest is this machine's.
 * @throws UserError `invalid-platform`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const [first = '', second, variant] = parts;
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) throw invalid(text);
  const own = platformOfNode(process.arch);
  if (second !== undefined) return normalised({ os: first, architecture: second, ...optional(variant) });
  if (SYSTEMS.includes(first)) return normalised({ ...own, os: first });
  const alone = normalised({ os: 'linux', architecture: first });
  if (!KNOWN.includes(alone.architecture)) throw invalid(text);
  return alone;
}

/** One name for each: `arm64/v8` is `arm64`, `amd64/v1` is `amd64`, `arm` is `arm/v7`, as containerd has it. */
export function normalised(platform: Platform): Platform {
  const known = ARCHITECTURES[platform.architecture];
  const architecture = known?.architecture ?? platform.architecture;
  const variant = platform.variant ?? known?.variant ?? '';
  return { os: platform.os, architecture, ...optional(variantOf(architecture, variant)) };
}

function variantOf(architecture: string, variant: string): string | undefined {
  const text = /^\d+$/.test(variant) ? `v${variant}` : variant;
  if (architecture === 'arm' && text === '') return 'v7';
  if ((architecture === 'arm64' && text === 'v8') || (architecture === 'amd64' && text === 'v1')) return undefined;
  return text === '' ? undefined : text;
}

/**
 * Of several images the one that runs best here: the platform itself, then what it can run besides (an older variant;
 * 386 on amd64; arm on arm64), as containerd orders them. Entries without a platform come last.
 */
export function choosePlatform<T extends { readonly platform?: Platform }>(
  entries: readonly T[],
  wanted: Platform,
): T | undefined {
  const order = runnable(normalised(wanted)).map(keyOf);
  const ranked = entries
    .map((entry) => ({ entry, rank: entry.platform === undefined ? order.length : rankOf(entry.platform, order) }))
    .filter(({ rank }) => rank >= 0);
  return ranked.reduce<(typeof ranked)[number] | undefined>((best, next) => {
    return best === undefined || next.rank < best.rank ? next : best;
  }, undefined)?.entry;
}

/** Whether an image for `offered` runs where `wanted` is asked for. */
export function runsOn(wanted: Platform, offered: Platform): boolean {
  return choosePlatform([{ platform: offered }], wanted) !== undefined;
}

function rankOf(platform: Platform, order: readonly string[]): number {
  return order.indexOf(keyOf(normalised(platform)));
}

function keyOf({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}/${variant ?? ''}`;
}

function runnable(platform: Platform): readonly Platform[] {
  const { os, architecture, variant } = platform;
  switch (architecture) {
    case 'amd64':
      return [platform, ...older(platform, 1), { os, architecture: '386' }];
    case 'arm':
      return [platform, ...older(platform, 5)];
    case 'arm64': {
      const arm: Platform = { os, architecture: 'arm', variant: variant ?? 'v8' };
      return [platform, ...(variant === undefined ? [] : [{ os, architecture }]), arm, ...older(arm, 5)];
    }
    default:
      return [platform];
  }
}

function older(platform: Platform, oldest: number): readonly Platform[] {
  const version = Number(/^v(\d)/.exec(platform.variant ?? '')?.[1] ?? 0);
  const versions = Array.from({ length: Math.max(0, version - oldest) }, (_, index) => version - 1 - index);
  return versions.map((number) => normalised({ ...platform, variant: `v${number}` }));
}

function optional(variant: string | undefined): { readonly variant?: string } {
  return variant === undefined ? {} : { variant };
}

function invalid(text: string): UserError {
  return new UserError({
    code: 'invalid-platform',
    kind: 'invalid',
    message: `"${text}" is not a platform`,
    fix: 'Write it as os/architecture[/variant], e.g. linux/amd64 or linux/arm/v7.',
  });
}
