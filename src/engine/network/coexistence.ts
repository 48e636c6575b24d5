import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/process.ts';

/**
 * A drop in one table of packet rules is final whatever another table says. So where others drop, ours must be accepted
 * in their table too: Docker sets the policy of FORWARD to DROP and has bridged frames pass it, and firewalls such as ufw
 * drop what comes in, questions to our name servers included. The FORWARD rules stand at the end, behind Docker's own and
 * its users'. They are put there even before any dockerd starts, for it keeps them.
 */
export class Coexistence {
  readonly #comment: string;
  readonly #log: Log;
  #checkedAtMs = -Infinity;

  constructor(comment: string, log: Log) {
    this.#comment = comment;
    this.#log = log;
  }

  /** Looks at most every few seconds: somebody may have flushed the chains. A machine without iptables needs nothing. */
  async ensure(maximumAgeMs = 5_000): Promise<void> {
    if (performance.now() - this.#checkedAtMs < maximumAgeMs) return;
    this.#checkedAtMs = performance.now();
    const present = await this.#present();
    if (present === undefined) return;
    await this.#restore(
      this.#rules()
        .filter((rule) => !present.has(rule.text))
        .map(({ verb, text }) => `${verb} ${text}`),
    );
  }

  async remove(): Promise<void> {
    this.#checkedAtMs = -Infinity;
    const present = await this.#present();
    if (present !== undefined) await this.#restore([...present].map((rule) => `-D ${rule}`));
  }

  #rules(): readonly { readonly verb: string; readonly text: string }[] {
    const ending = `-m comment --comment ${this.#comment} -j ACCEPT`;
    return [
      { verb: '-A', text: `FORWARD -i bsc-+ ${ending}` },
      { verb: '-A', text: `FORWARD -o bsc-+ ${ending}` },
      { verb: '-I', text: `INPUT -i bsc-+ -p udp -m udp --dport 53 ${ending}` },
      { verb: '-I', text: `INPUT -i bsc-+ -p tcp -m tcp --dport 53 ${ending}` },
    ];
  }

  /** Those of our rules that are there, as `iptables -S` prints them. */
  async #present(): Promise<ReadonlySet<string> | undefined> {
    try {
      const { exitCode, stdout } = await run(['iptables', '-w', '-S']);
      if (exitCode !== 0) return undefined;
      const ours = new Set(this.#rules().map(({ text }) => text));
      const lines = stdout.split('\n').map((line) => line.replace(/^-A /, '').replaceAll('"', ''));
      return new Set(lines.filter((line) => ours.has(line)));
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
