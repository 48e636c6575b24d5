import { styleText } from 'node:util';

/** Colours for a terminal, or none. */
export interface Style {
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  bold(text: string): string;
  dim(text: string): string;
}

export function styleFor(isColoured: boolean): Style {
  const paint = (format: 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim') => (text: string) =>
    isColoured ? styleText(format, text, { validateStream: false }) : text;
  return {
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
    bold: paint('bold'),
    dim: paint('dim'),
  };
}
