import type { EndpointRow, SandboxRow } from './rows.ts';

/**
 * The sandboxes of the records as they are now, so that a look at one, or at all, reads no table: this daemon is the
 * only one who writes. Each change of a table is told here; after a transaction that was undone all is read anew.
 */
export class SandboxMemory {
  readonly #load: () => readonly SandboxRow[];
  #rows: Map<string, SandboxRow> | undefined;

  constructor(load: () => readonly SandboxRow[]) {
    this.#load = load;
  }

  all(): readonly SandboxRow[] {
    return [...this.#known().values()];
  }

  find(id: string): SandboxRow | undefined {
    return this.#known().get(id);
  }

  /** Nothing is believed any more. */
  forget(): void {
    this.#rows = undefined;
  }

  put(row: SandboxRow): void {
    this.#rows?.set(row.id, row);
  }

  remove(id: string): void {
    this.#rows?.delete(id);
  }

  rename(id: string, name: string): void {
    this.#change(id, (row) => ({ ...row, name }));
  }

  addEndpoint(endpoint: EndpointRow): void {
    this.#change(endpoint.sandboxId, (row) => {
      const endpoints = [...row.endpoints, endpoint].sort((a, b) => a.position - b.position);
      return { ...row, endpoints };
    });
  }

  removeEndpoint(endpointId: string): void {
    const isIts = (endpoint: EndpointRow): boolean => endpoint.endpointId === endpointId;
    const owner = this.#rows?.values().find(({ endpoints }) => endpoints.some(isIts));
    if (owner === undefined) return;
    this.put({ ...owner, endpoints: owner.endpoints.filter((endpoint) => !isIts(endpoint)) });
  }

  #known(): Map<string, SandboxRow> {
    this.#rows ??= new Map(this.#load().map((row) => [row.id, row]));
    return this.#rows;
  }

  #change(id: string, change: (row: SandboxRow) => SandboxRow): void {
    const row = this.#rows?.get(id);
    if (row !== undefined) this.put(change(row));
  }
}
