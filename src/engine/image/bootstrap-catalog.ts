import { UserError } from '../../lib/errors.ts';
import { nearestWord } from '../../lib/nearest.ts';
import { familiarName, parseReference, type ExecutionConfig } from '../../lib/oci/index.ts';
import { parseSnapshotTime } from './snapshot-time.ts';

/** How a base image is made on this machine, without a registry. */
export type BootstrapRecipe =
  | {
      readonly kind: 'debootstrap';
      readonly distribution: Distribution;
      readonly suite: string;
      /** Without documentation, manual pages and translations, as the `-slim` images of Docker's library. */
      readonly isSlim: boolean;
      /** The tag names a day: `bookworm-20261101`. */
      readonly snapshotAt: Date | undefined;
      readonly config: ExecutionConfig;
    }
  | { readonly kind: 'busybox'; readonly config: ExecutionConfig };

export type Distribution = 'debian' | 'ubuntu';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const CONFIGS: Readonly<Record<Distribution | 'busybox', ExecutionConfig>> = {
  debian: { Env: [PATH], Cmd: ['bash'] },
  ubuntu: { Env: [PATH], Cmd: ['/bin/bash'] },
  busybox: { Env: [PATH], Cmd: ['sh'] },
};

/** Suites by the tags that Docker's library gives them. */
const SUITES: Readonly<Record<Distribution, Readonly<Record<string, string>>>> = {
  debian: { bookworm: 'bookworm', '12': 'bookworm', trixie: 'trixie', '13': 'trixie', latest: 'trixie' },
  ubuntu: { jammy: 'jammy', '22.04': 'jammy', noble: 'noble', '24.04': 'noble', latest: 'noble' },
};

/** @throws UserError `bootstrap-unknown`, `snapshot-invalid`, `invalid-reference` */
export function recipeOf(reference: string): BootstrapRecipe {
  const parsed = parseReference(reference);
  const name = familiarName(parsed);
  if (name === 'busybox') return { kind: 'busybox', config: CONFIGS.busybox };
  if (name === 'debian' || name === 'ubuntu') {
    const recipe = debootstrapRecipe(name, parsed.tag ?? 'latest');
    if (recipe !== undefined) return recipe;
  }
  throw unknown(`${name}:${parsed.tag ?? 'latest'}`);
}

/** Every name that can be bootstrapped, for messages and completion. */
export function bootstrapNames(): readonly string[] {
  const names = (['debian', 'ubuntu'] as const).flatMap((name) =>
    Object.keys(SUITES[name]).map((tag) => `${name}:${tag}`),
  );
  return [...names, 'debian:bookworm-slim', 'debian:trixie-slim', 'busybox'];
}

function debootstrapRecipe(distribution: Distribution, tag: string): BootstrapRecipe | undefined {
  const isSlim = distribution === 'debian' && tag.endsWith('-slim');
  const [, name = '', day] = /^(.+?)(?:-(\d{8}))?$/.exec(isSlim ? tag.slice(0, -'-slim'.length) : tag) ?? [];
  const suite = SUITES[distribution][name];
  if (suite === undefined) return undefined;
  const snapshotAt = day === undefined ? undefined : parseSnapshotTime(day);
  return { kind: 'debootstrap', distribution, suite, isSlim, snapshotAt, config: CONFIGS[distribution] };
}

function unknown(reference: string): UserError {
  const names = bootstrapNames();
  const near = nearestWord(reference, names);
  return new UserError({
    code: 'bootstrap-unknown',
    kind: 'not-found',
    message: `"${reference}" cannot be made from packages on this machine`,
    fix: `${near === undefined ? '' : `Did you mean "${near}"? `}These can: ${names.join(', ')}. Others come by \`load\`.`,
  });
}
