import type { Style } from '../output/style.ts';
import { padEnd, wrap } from '../output/text.ts';

/** What a picture is made for. */
export interface Frame {
  /** Columns that no line exceeds. */
  readonly columns: number;
  /** Lines that the picture may have; undefined: as many as it needs. */
  readonly rows?: number;
  readonly now: Date;
  readonly style: Style;
  /** Below the picture: keys, questions. */
  readonly footer?: readonly string[];
}

/** Room that a section has. */
export interface Room {
  readonly columns: number;
  readonly style: Style;
  /** Leave out what can be done without. */
  readonly isTight: boolean;
}

export const LABEL_COLUMNS = 10;

/** A bar filled to a part of 1. Anything above nothing shows, and only the whole is full. */
export function barOf(part: number, width: number, paint: (text: string) => string): string {
  const exact = Math.max(0, Math.min(1, part)) * width;
  const filled = part >= 1 ? width : Math.min(width - 1, part > 0 ? Math.max(1, Math.floor(exact)) : 0);
  return `${paint('█'.repeat(filled))}${'░'.repeat(width - filled)}`;
}

/** A text beside its label, in as many lines as it needs. */
export function labelled(
  label: string,
  text: string,
  o: { readonly columns: number; readonly paint?: (text: string) => string },
): readonly string[] {
  const lines = wrap(text, Math.max(8, o.columns - LABEL_COLUMNS));
  return lines.map((line, index) => padEnd(index === 0 ? label : '', LABEL_COLUMNS) + (o.paint?.(line) ?? line));
}
