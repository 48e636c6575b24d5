import { UserError } from '../../lib/errors.ts';
import type { ContainerLink } from '../runtime/index.ts';
import type { CreateRequest } from './create-request.ts';
import { invalidParameter } from './http-errors.ts';

interface LinkInputs {
  readonly request: CreateRequest;
  /** @throws UserError `container-not-found` */
  containerIdOf(nameOrId: string): string;
  networkNameOf(nameOrId: string): string;
}

/**
 * `--link`: on the default bridge by `HostConfig.Links`, on other networks by the links of an endpoint.
 * @throws UserError `invalid-parameter`, `container-not-found`
 */
export function linksOf(inputs: LinkInputs): readonly ContainerLink[] {
  const { HostConfig, NetworkingConfig } = inputs.request;
  const mode = HostConfig?.NetworkMode ?? '';
  const links = HostConfig?.Links ?? [];
  if (links.length > 0 && (mode === 'host' || mode.startsWith('container:'))) {
    const kind = mode === 'host' ? 'host type networking' : 'container type network';
    throw invalidParameter(
      `conflicting options: ${kind} can't be used with links. This would result in undefined behavior`,
    );
  }
  // docker-compose 1.x names links of other networks here, too.
  const ownNetwork = ['', 'default', 'bridge'].includes(mode) ? 'bridge' : inputs.networkNameOf(mode);
  const own = links.map((text) => linkOf(inputs, text, ownNetwork));
  const others = Object.entries(NetworkingConfig?.EndpointsConfig ?? {}).flatMap(([network, endpoint]) =>
    (endpoint?.Links ?? []).map((text) => linkOf(inputs, text, inputs.networkNameOf(network))),
  );
  return [...own, ...others];
}

/** `NAME[:ALIAS]`, or `/NAME:/OWN/ALIAS` as `docker inspect` shows it. */
function linkOf(inputs: LinkInputs, text: string, network: string): ContainerLink {
  const [name = '', given = name, ...rest] = text.split(':');
  const alias = given.split('/').at(-1) ?? '';
  if (name === '' || alias === '' || rest.length > 0) {
    throw invalidParameter(`bad format for links: ${text}`, 'Write it as CONTAINER[:ALIAS].');
  }
  return { containerId: idOf(inputs, name.replace(/^\//, '')), alias, network };
}

/** Not as something that is not found: clients take that for the image, and pull it. */
function idOf(inputs: LinkInputs, name: string): string {
  try {
    return inputs.containerIdOf(name);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw invalidParameter(`could not get container for ${name}: ${error.message}`, error.fix);
  }
}

/** As `docker inspect` shows them. */
export function shownLinks(links: readonly string[] | null | undefined, ownName: string): readonly string[] | null {
  if (!links?.length) return null;
  return links.map((text) => {
    const [name = '', alias = name] = text.replace(/^\//, '').split(':');
    return `/${name}:/${ownName}/${alias.split('/').at(-1)}`;
  });
}
