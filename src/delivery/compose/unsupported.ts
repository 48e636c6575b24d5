import { UserError } from '../../lib/errors.ts';
import { type Unsupported, unsupportedInService } from './unsupported-service.ts';
import type { FileObject, Network, Project, Volume } from './project.ts';

/** What this project uses that cannot be run yet; empty when all of it can. */
export function unsupportedIn(project: Project): readonly Unsupported[] {
  return [
    ...Object.entries(project.services).flatMap(([name, service]) => unsupportedInService(name, service)),
    ...Object.entries(project.networks).flatMap(([name, network]) => inNetwork(`networks.${name}`, network)),
    ...Object.entries(project.volumes).flatMap(([name, volume]) => inVolume(`volumes.${name}`, volume)),
    ...Object.entries(project.configs).flatMap(([name, file]) => inFile(`configs.${name}`, file)),
    ...Object.entries(project.secrets).flatMap(([name, file]) => inFile(`secrets.${name}`, file)),
  ];
}

/** Throws UserError `compose-unsupported` naming everything that `unsupportedIn` finds. */
export function assertSupported(project: Project): void {
  const found = unsupportedIn(project);
  const [first] = found;
  if (first === undefined) return;
  const lines = found.map(({ path, reason }) => `${path}: ${reason}`);
  throw new UserError({
    code: 'compose-unsupported',
    kind: 'unsupported',
    message: found.length === 1 ? `not supported yet: ${lines[0]}` : `not supported yet:\n  ${lines.join('\n  ')}`,
    fix: 'Remove these keys, or write the service without them. docs/compose.md lists what is supported.',
    details: { path: first.path, found },
  });
}

function inNetwork(path: string, network: Network): readonly Unsupported[] {
  const { ipam } = network;
  return when([
    [network.external === true, path, 'external networks'],
    [
      !isOneOf(network.driver, 'bridge', 'default'),
      `${path}.driver`,
      `the driver "${network.driver}"; "bridge" is supported`,
    ],
    [hasKeys(network.driver_opts), `${path}.driver_opts`, 'driver options'],
    [network.enable_ipv6 === true, `${path}.enable_ipv6`, 'IPv6 networks'],
    [network.enable_ipv4 === false, `${path}.enable_ipv4`, 'networks without IPv4'],
    [!isOneOf(ipam.driver, 'default'), `${path}.ipam.driver`, 'address management other than the default'],
    [hasKeys(ipam.options), `${path}.ipam.options`, 'options of address management'],
    [(ipam.config?.length ?? 0) > 1, `${path}.ipam.config`, 'more than one address pool'],
    [ipam.config?.some((pool) => pool.ip_range !== undefined) === true, `${path}.ipam.config`, 'ip_range'],
    [ipam.config?.some((pool) => hasKeys(pool.aux_addresses)) === true, `${path}.ipam.config`, 'aux_addresses'],
  ]);
}

function inVolume(path: string, volume: Volume): readonly Unsupported[] {
  return when([
    [volume.external === true, path, 'external volumes'],
    [!isOneOf(volume.driver, 'local'), `${path}.driver`, `the driver "${volume.driver}"; "local" is supported`],
    [hasKeys(volume.driver_opts), `${path}.driver_opts`, 'driver options'],
  ]);
}

function inFile(path: string, file: FileObject): readonly Unsupported[] {
  return when([
    [file.external === true, path, 'external configs and secrets'],
    [file.driver !== undefined, `${path}.driver`, 'drivers for configs and secrets'],
    [file.template_driver !== undefined, `${path}.template_driver`, 'templates'],
  ]);
}

/** The findings whose condition holds. */
function when(rules: readonly (readonly [boolean, string, string])[]): readonly Unsupported[] {
  return rules.filter(([holds]) => holds).map(([, path, reason]) => ({ path, reason }));
}

/** Not given, or one of these. */
function isOneOf(value: string | undefined, ...allowed: readonly string[]): boolean {
  return value === undefined || allowed.includes(value);
}

function hasKeys(record: object | undefined): boolean {
  return record !== undefined && Object.keys(record).length > 0;
}
