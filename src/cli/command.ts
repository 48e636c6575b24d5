import type { Command } from 'commander';
import type { Session } from './session.ts';

/** How a command adds itself to the program. */
export type AddCommand = (program: Command, run: RunAction) => void;

/**
 * Wraps the action of a command: `work` gets the session and commander's arguments, and gives the exit code.
 * Options and arguments arrive as commander parsed them.
 */
export type RunAction = <Arguments extends readonly unknown[]>(
  work: (session: Session, ...rest: Arguments) => Promise<number>,
) => (...rest: Arguments) => Promise<void>;
