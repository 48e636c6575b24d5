import type { Readable } from 'node:stream';
import { UserError } from '../lib/errors.ts';
import type { Session } from './session.ts';

/** The first line of standard input; on a terminal it is asked for and not shown. */
export async function readPassword({ host }: Session): Promise<string> {
  if (host.stdin.isTTY === true) return await readHidden(host.stdin, (text) => void host.stderr.write(text));
  let text = '';
  for await (const chunk of host.stdin) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0]?.replace(/\r$/, '') ?? '';
}

async function readHidden(
  stdin: Readable & { setRawMode?(raw: boolean): void },
  say: (text: string) => void,
): Promise<string> {
  say('password: ');
  stdin.setRawMode?.(true);
  let typed = '';
  try {
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n') return typed;
        if (key === '\u0003') throw cancelled();
        typed = key === '\u007F' ? typed.slice(0, -1) : typed + key;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
    say('\n');
  }
}

function cancelled(): UserError {
  return new UserError({ code: 'cancelled', kind: 'cancelled', message: 'cancelled', fix: 'Nothing was changed.' });
}
