import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { systemCodeOf } from '../../lib/errors.ts';
import { run } from '../../lib/process.ts';
import { addressNotOurs, networkInvalid, noFreePort, portTaken } from './errors.ts';
import { parseAddress } from './ipv4.ts';
import type { PortBinding, PortRequest } from './types.ts';

const ANY = '0.0.0.0';

interface Claim {
  readonly port: number;
  release(): Promise<void>;
}

/**
 * Claims of host ports. Each is a listening socket that nobody is answered on (the packet rules divert everything before
 * it): so no other program of this machine takes the port by chance, and one that has it is found out before anything
 * changes. The claims end with the daemon; containers keep their ports, and the next daemon claims them again.
 */
export class PortClaims {
  readonly #claims = new Map<string, Claim>();

  /** Claims all or none. `holderOf` names the container that has a port already. */
  async claim(
    requests: readonly PortRequest[],
    holderOf: (binding: PortBinding) => string | undefined,
  ): Promise<readonly PortBinding[]> {
    const bindings: PortBinding[] = [];
    try {
      for (const request of requests) bindings.push(await this.#claimOne(checkedRequest(request), holderOf));
      return bindings;
    } catch (error) {
      await this.release(bindings);
      throw error;
    }
  }

  async release(bindings: readonly PortBinding[]): Promise<void> {
    for (const binding of bindings) {
      await this.#claims.get(keyOf(binding))?.release();
      this.#claims.delete(keyOf(binding));
    }
  }

  async releaseAll(): Promise<void> {
    for (const claim of this.#claims.values()) await claim.release();
    this.#claims.clear();
  }

  async #claimOne(wanted: PortBinding, holderOf: (binding: PortBinding) => string | undefined): Promise<PortBinding> {
    if (wanted.hostPort !== 0) return this.#claimExactly(wanted, holderOf);
    for (let attempt = 0; attempt < 50; attempt++) {
      const claim = await listen(wanted);
      const binding = { ...wanted, hostPort: claim.port };
      if (holderOf(binding) === undefined) {
        this.#claims.set(keyOf(binding), claim);
        return binding;
      }
      await claim.release();
    }
    throw noFreePort();
  }

  async #claimExactly(binding: PortBinding, holderOf: (b: PortBinding) => string | undefined): Promise<PortBinding> {
    const holder = holderOf(binding);
    if (holder !== undefined || this.#claims.has(keyOf(binding))) throw taken(binding, holder ?? 'the same container');
    this.#claims.set(keyOf(binding), await listen(binding));
    return binding;
  }
}

/** Do two bindings want the same port of the same address? */
export function collide(a: PortBinding, b: PortBinding): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  return a.hostAddress === b.hostAddress || a.hostAddress === ANY || b.hostAddress === ANY;
}

function checkedRequest(request: PortRequest): PortBinding {
  const hostAddress = ['', '::', undefined].includes(request.hostAddress) ? ANY : (request.hostAddress ?? ANY);
  if (parseAddress(hostAddress) === undefined)
    throw networkInvalid(`invalid host address to publish on: ${hostAddress}`, 'Give an IPv4 address of this machine.');
  for (const port of [request.containerPort, request.hostPort ?? 0])
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw networkInvalid(`invalid port: ${port}`, 'Ports are numbers from 1 to 65535.');
  const { containerPort, protocol, hostPort = 0 } = request;
  return { containerPort, protocol, hostAddress, hostPort };
}

async function listen(binding: PortBinding): Promise<Claim> {
  try {
    return binding.protocol === 'tcp' ? await listenTcp(binding) : await listenUdp(binding);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'EADDRNOTAVAIL') throw addressNotOurs(`${binding.hostAddress}:${binding.hostPort}`);
    if (code === 'EADDRINUSE') throw taken(binding, await programOn(binding));
    throw error;
  }
}

function listenTcp(binding: PortBinding): Promise<Claim> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ host: binding.hostAddress, port: binding.hostPort, backlog: 1, exclusive: true }, () => {
      server.unref();
      const { port } = server.address() as AddressInfo;
      resolve({ port, release: () => new Promise((done) => void server.close(() => done())) });
    });
  });
}

function listenUdp(binding: PortBinding): Promise<Claim> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind({ address: binding.hostAddress, port: binding.hostPort, exclusive: true }, () => {
      socket.unref();
      resolve({ port: socket.address().port, release: () => new Promise((done) => void socket.close(() => done())) });
    });
  });
}

/** The program that listens there, as `haproxy, pid 4711`. */
async function programOn(binding: PortBinding): Promise<string | undefined> {
  const kind = binding.protocol === 'tcp' ? '-Hltnp' : '-Hlunp';
  const { stdout } = await run(['ss', kind, `sport = :${binding.hostPort}`]).catch(() => ({ stdout: '' }));
  const match = /\("([^"]+)",pid=(\d+)/.exec(stdout);
  return match === null ? undefined : `the program ${match[1]}, pid ${match[2]}`;
}

function taken(binding: PortBinding, holder: string | undefined) {
  return portTaken({ address: binding.hostAddress, port: binding.hostPort, protocol: binding.protocol, holder });
}

function keyOf(binding: PortBinding): string {
  return `${binding.protocol} ${binding.hostAddress}:${binding.hostPort}`;
}
