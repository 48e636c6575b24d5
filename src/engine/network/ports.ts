import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { systemCodeOf } from '../../lib/errors.ts';
import { run } from '../../lib/process.ts';
import { addressNotOurs, networkInvalid, noFreePort, portTaken } from './errors.ts';
import { parseAddress } from './ipv4.ts';
import type { PortBinding, PortRequest } from './types.ts';

const ANY = '0.0.0.0';
const MOST_ATTEMPTS = 4_096;

/** The range that the kernel chooses from, as Docker does. */
function ephemeralPorts(): { readonly first: number; readonly last: number } {
  try {
    const [first = 32_768, last = 60_999] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .trim()
      .split(/\s+/)
      .map(Number);
    return { first, last };
  } catch {
    return { first: 32_768, last: 60_999 };
  }
}

type WantedPort = PortBinding & Pick<PortRequest, 'lastHostPort'>;

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
  /** Where the search for a free port goes on, in the machine's range. */
  #next = 0;

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

  async #claimOne(wanted: WantedPort, holderOf: (binding: PortBinding) => string | undefined): Promise<PortBinding> {
    const { lastHostPort = wanted.hostPort, ...binding } = wanted;
    if (wanted.hostPort !== 0 && lastHostPort === wanted.hostPort) return this.#claimExactly(binding, holderOf);
    const range = wanted.hostPort === 0 ? ephemeralPorts() : { first: wanted.hostPort, last: lastHostPort };
    const size = range.last - range.first + 1;
    const begin = wanted.hostPort === 0 ? this.#next : 0;
    for (let index = 0; index < Math.min(size, MOST_ATTEMPTS); index++) {
      const hostPort = range.first + ((begin + index) % size);
      const claimed = await this.#claimFree({ ...binding, hostPort }, holderOf);
      if (claimed === undefined) continue;
      if (wanted.hostPort === 0) this.#next = (begin + index + 1) % size;
      return claimed;
    }
    throw noFreePort();
  }

  /** Undefined where somebody has the port. */
  async #claimFree(
    binding: PortBinding,
    holderOf: (binding: PortBinding) => string | undefined,
  ): Promise<PortBinding | undefined> {
    if (holderOf(binding) !== undefined || this.#claims.has(keyOf(binding))) return undefined;
    try {
      this.#claims.set(keyOf(binding), await open(binding));
      return binding;
    } catch (error) {
      if (systemCodeOf(error) === 'EADDRINUSE') return undefined;
      throw await explained(binding, error);
    }
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

function checkedRequest(request: PortRequest): WantedPort {
  const hostAddress = ['', '::', undefined].includes(request.hostAddress) ? ANY : (request.hostAddress ?? ANY);
  if (parseAddress(hostAddress) === undefined)
    throw networkInvalid(`invalid host address to publish on: ${hostAddress}`, 'Give an IPv4 address of this machine.');
  for (const port of [request.containerPort, request.hostPort ?? 0, request.lastHostPort ?? 0])
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw networkInvalid(`invalid port: ${port}`, 'Ports are numbers from 1 to 65535.');
  const { containerPort, protocol, hostPort = 0, lastHostPort } = request;
  return { containerPort, protocol, hostAddress, hostPort, ...(lastHostPort === undefined ? {} : { lastHostPort }) };
}

async function listen(binding: PortBinding): Promise<Claim> {
  try {
    return await open(binding);
  } catch (error) {
    throw await explained(binding, error);
  }
}

function open(binding: PortBinding): Promise<Claim> {
  return binding.protocol === 'tcp' ? listenTcp(binding) : listenUdp(binding);
}

async function explained(binding: PortBinding, error: unknown): Promise<unknown> {
  const code = systemCodeOf(error);
  if (code === 'EADDRNOTAVAIL') return addressNotOurs(`${binding.hostAddress}:${binding.hostPort}`);
  return code === 'EADDRINUSE' ? taken(binding, await programOn(binding)) : error;
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
