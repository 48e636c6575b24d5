/** What fetching contexts needs of the build. */
export interface Fetching {
  readonly signal: AbortSignal;
  /** Sockets of SSH agents by id. */
  readonly ssh: Readonly<Record<string, string>>;
  /** Variables that name proxies. */
  readonly proxies: Readonly<Record<string, string>>;
  temporaryDirectory(): Promise<string>;
  onLine(line: string): void;
}
