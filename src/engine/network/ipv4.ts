/** IPv4 addresses and subnets as numbers. Text is parsed strictly: four decimal parts without leading zeros. */
export interface Subnet {
  /** The network address. */
  readonly base: number;
  readonly prefixLength: number;
}

const PART = '(0|[1-9]\\d{0,2})';
const ADDRESS = new RegExp(`^${PART}\\.${PART}\\.${PART}\\.${PART}$`);

/** The address as a number from 0 to 2^32 - 1, or undefined where the text is none. */
export function parseAddress(text: string): number | undefined {
  const parts = ADDRESS.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** `10.0.0.7/24` as its address and the subnet around it, or undefined. */
export function parseCidr(text: string): { readonly address: number; readonly subnet: Subnet } | undefined {
  const [addressText = '', prefixText = '', ...rest] = text.split('/');
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0 || !/^(\d|[12]\d|3[0-2])$/.test(prefixText)) return undefined;
  const prefixLength = Number(prefixText);
  return { address, subnet: { base: baseOf(address, prefixLength), prefixLength } };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefixLength}`;
}

export function sizeOf(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefixLength);
}

export function broadcastOf(subnet: Subnet): number {
  return subnet.base + sizeOf(subnet) - 1;
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= broadcastOf(subnet);
}

export function containsSubnet(outer: Subnet, inner: Subnet): boolean {
  return contains(outer, inner.base) && contains(outer, broadcastOf(inner));
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return a.base <= broadcastOf(b) && b.base <= broadcastOf(a);
}

/** Docker's way: `02:42` and the four bytes of the address, so that an address always has the same MAC. */
export function macOf(address: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
  return [0x02, 0x42, ...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function baseOf(address: number, prefixLength: number): number {
  const size = 2 ** (32 - prefixLength);
  return Math.floor(address / size) * size;
}
