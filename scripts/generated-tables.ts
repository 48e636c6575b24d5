import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Puts tables between `<!-- generated: NAME -->` and `<!-- end -->` of a document.
 * @returns whether the document had them already; with `--check` it is left as it is
 */
export function putTables(file: string, tables: Readonly<Record<string, string>>): boolean {
  const text = readFileSync(file, 'utf8');
  const updated = Object.entries(tables).reduce(
    (document, [name, table]) =>
      document.replace(
        new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`),
        (_all, start: string, end: string) => `${start}${table}${end}`,
      ),
    text,
  );
  if (!process.argv.includes('--check')) writeFileSync(file, updated);
  return updated === text;
}
