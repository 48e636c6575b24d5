import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/errors.ts';
import { run } from '../../lib/process.ts';

/**
 * Docker sets the policy of the machine's FORWARD chain to DROP, and has bridged frames pass it. A drop in one table
 * is final whatever another table says, so ours must be accepted there as well. The rules stand at the end of the chain:
 * Docker's own and its users' come first. They are put there even before any dockerd starts, for it keeps them.
 */
export class Coexistence {
  readonly #comment: string;
  readonly #log: Log;
  #checkedAtMs = -Infinity;

  constructor(comment: string, log: Log) {
    this.#comment = comment;
    this.#log = log;
  }

  /** Looks at most every few seconds: somebody may have flushed the chain. A machine without iptables needs nothing. */
  async ensure(maximumAgeMs = 5_000): Promise<void> {
    if (performance.now() - this.#checkedAtMs < maximumAgeMs) return;
    this.#checkedAtMs = performance.now();
    const present = await this.#present();
    if (present === undefined) return;
    const missing = this.#rules().filter((rule) => !present.has(rule));
    await this.#restore(missing.map((rule) => `-A ${rule}`));
  }

  async remove(): Promise<void> {
    this.#checkedAtMs = -Infinity;
    const present = await this.#present();
    if (present !== undefined) await this.#restore([...present].map((rule) => `-D ${rule}`));
  }

  #rules(): readonly string[] {
    return ['-i', '-o'].map((side) => `FORWARD ${side} bsc-+ -m comment --comment ${this.#comment} -j ACCEPT`);
  }

  async #present(): Promise<ReadonlySet<string> | undefined> {
    try {
      const { exitCode, stdout } = await run(['iptables', '-w', '-S', 'FORWARD']);
      if (exitCode !== 0) return undefined;
      const lines = stdout.split('\n').map((line) => line.replace(/^-A /, '').replaceAll('"', ''));
      return new Set(lines.filter((line) => this.#rules().includes(line)));
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, 'no iptables: nothing to get along with');
      return undefined;
    }
  }

  async #restore(rules: readonly string[]): Promise<void> {
    if (rules.length === 0) return;
    const input = ['*filter', ...rules, 'COMMIT', ''].join('\n');
    const { exitCode, stderr } = await run(['iptables-restore', '-w', '--noflush'], { input });
    if (exitCode !== 0) this.#log.warn({ rules, stderr }, 'iptables: the rules beside Docker could not be set');
  }
}
