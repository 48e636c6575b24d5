import type { Instruction } from '../parse.ts';
import { finding } from './checked.ts';
import type { Finding } from './rules.ts';

/** @param words of EXPOSE, expanded */
export function checkPorts(instruction: Instruction, words: readonly string[]): readonly Finding[] {
  return words.flatMap((word) => {
    const found: Finding[] = [];
    if (word.includes(':')) {
      const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`;
      found.push(finding(instruction, 'ExposeInvalidFormat', message));
    }
    if (word !== word.toLowerCase()) {
      const message = `Defined protocol '${word}' in EXPOSE instruction should be lowercase`;
      found.push(finding(instruction, 'ExposeProtoCasing', message));
    }
    return found;
  });
}
