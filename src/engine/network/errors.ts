import { shortId } from '../../lib/id.ts';
import { UserError } from '../../lib/errors.ts';

/** What users can be told by this room. Messages are Docker's own where it has them: tools know them. */
export function networkNotFound(name: string): UserError {
  return new UserError({
    code: 'network-not-found',
    kind: 'not-found',
    message: `network ${name} not found`,
    fix: 'List the networks with `docker network ls`, or create it with `docker network create`.',
  });
}

export function networkAmbiguous(prefix: string): UserError {
  return new UserError({
    code: 'network-ambiguous',
    kind: 'invalid',
    message: `network ${prefix} is ambiguous: several ids begin like that`,
    fix: 'Give more digits of the id, or the name.',
  });
}

export function networkNameTaken(name: string): UserError {
  return new UserError({
    code: 'network-name-taken',
    kind: 'conflict',
    message: `network with name ${name} already exists`,
    fix: 'Use the network that is there, or choose another name.',
  });
}

export function networkInvalid(message: string, fix: string): UserError {
  return new UserError({ code: 'network-invalid', kind: 'invalid', message, fix });
}

/** `overlay` is of Swarm, which this machine is no part of. */
export function driverUnknown(driver: string): UserError {
  const isOfSwarm = driver === 'overlay';
  return new UserError({
    code: 'network-driver-unknown',
    kind: isOfSwarm ? 'denied' : 'not-found',
    message: isOfSwarm
      ? 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
      : `plugin "${driver}" not found`,
    fix: 'Use the driver "bridge": no other is built in.',
  });
}

export function subnetOverlaps(subnet: string, other: string): UserError {
  return new UserError({
    code: 'network-subnet-overlaps',
    kind: 'denied',
    message: 'invalid pool request: Pool overlaps with other one on this address space',
    fix: `${subnet} and ${other} overlap. Choose a subnet that no other network, interface or route of this machine uses; or none, and one is chosen.`,
  });
}

export function poolsExhausted(): UserError {
  return new UserError({
    code: 'network-pools-exhausted',
    kind: 'conflict',
    message: 'all predefined address pools have been fully subnetted',
    fix: 'Remove networks that are not in use (`docker network prune`), or name a subnet of your own.',
  });
}

interface NetworkUser {
  readonly name: string;
  readonly endpointId: string;
}

export function networkInUse(network: { name: string }, users: readonly NetworkUser[]): UserError {
  return new UserError({
    code: 'network-in-use',
    kind: 'denied',
    message:
      `error while removing network: network ${network.name} has active endpoints ` +
      `(${users.map(({ name, endpointId }) => `name:"${name}" id:"${shortId(endpointId)}"`).join(', ')})`,
    fix: 'Stop these containers, or take them off with `docker network disconnect`, then remove the network.',
  });
}

export function networkPredefined(name: string): UserError {
  return new UserError({
    code: 'network-predefined',
    kind: 'denied',
    message: `${name} is a pre-defined network and cannot be removed`,
    fix: 'Nothing needs to be done: it is always there.',
  });
}

export function networkFull(network: { name: string; id: string }): UserError {
  return new UserError({
    code: 'network-full',
    kind: 'conflict',
    message: `no available IPv4 addresses on this network's address pools: ${network.name} (${shortId(network.id)})`,
    fix: 'Remove containers from this network, or create one with a larger subnet.',
  });
}

export function addressTaken(address: string, network: string): UserError {
  return new UserError({
    code: 'address-taken',
    kind: 'conflict',
    message: `Address already in use: ${address} on network ${network}`,
    fix: 'Choose another address, or none: one is chosen.',
  });
}

export function portTaken(o: {
  address: string;
  port: number;
  protocol: string;
  holder: string | undefined;
}): UserError {
  return new UserError({
    code: 'port-taken',
    kind: 'conflict',
    message:
      `Bind for ${o.address}:${o.port} failed: port is already allocated` +
      (o.holder === undefined ? '' : ` (${o.protocol}, held by ${o.holder})`),
    fix: 'Publish another host port, or none (one is chosen), or stop what holds it.',
  });
}

export function addressNotOurs(address: string): UserError {
  return new UserError({
    code: 'port-address-unknown',
    kind: 'invalid',
    message: `Bind for ${address} failed: cannot assign requested address`,
    fix: 'Publish on an address that this machine has (`ip addr`), or on every address.',
  });
}

export function noFreePort(): UserError {
  return new UserError({
    code: 'port-none-free',
    kind: 'conflict',
    message: 'no free host port is left in the range from which they are chosen',
    fix: 'Widen net.ipv4.ip_local_port_range, or name host ports.',
  });
}

export function alreadyConnected(sandbox: string, network: string): UserError {
  return new UserError({
    code: 'already-connected',
    kind: 'denied',
    message: `endpoint with name ${sandbox} already exists in network ${network}`,
    fix: 'Nothing needs to be done: the container is on this network already.',
  });
}

export function notConnected(sandbox: string, network: string): UserError {
  return new UserError({
    code: 'not-connected',
    kind: 'denied',
    message: `container ${sandbox} is not connected to network ${network}`,
    fix: 'See the networks of the container with `docker inspect`.',
  });
}

export function sandboxNotFound(id: string): UserError {
  return new UserError({
    code: 'sandbox-not-found',
    kind: 'not-found',
    message: `container ${shortId(id)} has no network namespace: it does not run`,
    fix: 'Start the container first.',
  });
}

/** A program of the machine refused. `fix` says what the machine lacks where that can be told. */
export function machineFailed(what: string, detail: string): UserError {
  const denied = process.geteuid?.() !== 0;
  return new UserError({
    code: denied ? 'network-denied' : 'network-machine-failed',
    kind: denied ? 'denied' : 'unavailable',
    message: `${what}: ${detail.trim().split('\n').slice(0, 3).join('; ')}`,
    fix: denied
      ? 'Run the daemon as root (capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN).'
      : 'Run `bascule doctor`: it checks ip, nft, dnsmasq and the kernel features bridge, veth and nf_tables.',
  });
}
