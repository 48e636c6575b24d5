/** Tells whoever waits that something about a project has changed. */
export class Changes {
  readonly #waiting = new Map<string, Set<() => void>>();

  touch(project: string): void {
    const waiting = this.#waiting.get(project);
    this.#waiting.delete(project);
    for (const wake of waiting ?? []) wake();
  }

  /** Resolves at the next change, after the time, or when the signal fires: whatever comes first. */
  async next(project: string, o: { readonly withinMs: number; readonly signal: AbortSignal }): Promise<void> {
    if (o.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const waiting = this.#waiting.get(project) ?? new Set();
    this.#waiting.set(project, waiting.add(wake));
    const timer = setTimeout(wake, o.withinMs);
    o.signal.addEventListener('abort', wake);
    await promise;
    clearTimeout(timer);
    o.signal.removeEventListener('abort', wake);
    waiting.delete(wake);
  }
}
