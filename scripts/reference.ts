/**
 * Writes the tables of docs/compose.md from the schemas that validate `x-bascule`.
 * usage: node scripts/reference.ts [--check]      --check: only say whether they agree
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { projectSettingsSchema, serviceSettingsSchema } from '../src/delivery/compose/index.ts';

const FILE = 'docs/compose.md';
const SCHEMAS = { projectSettingsSchema, serviceSettingsSchema };

interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Property>>;
}

const text = readFileSync(FILE, 'utf8');
const updated = Object.entries(SCHEMAS).reduce((document, [name, schema]) => {
  const table = renderTable(z.toJSONSchema(schema, { io: 'input' }) as Property);
  const section = new RegExp(`(<!-- generated from ${name} -->\n)[^]*?(<!-- end -->)`);
  return document.replace(section, (_all, start: string, end: string) => `${start}${table}${end}`);
}, text);

if (!process.argv.includes('--check')) writeFileSync(FILE, updated);
else if (updated !== text) {
  console.error(`${FILE} does not say what the schemas say: run \`node scripts/reference.ts\``);
  process.exitCode = 1;
}

function renderTable(schema: Property): string {
  const rows = rowsOf(schema, '').map((cells) => `| ${cells.join(' | ')} |\n`);
  return `| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function rowsOf(schema: Property, prefix: string): readonly (readonly string[])[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const path = `${prefix}${key}`;
    if (property.properties !== undefined) return rowsOf(property, `${path}.`);
    const byDefault = property.default === undefined ? '–' : `\`${String(property.default)}\``;
    return [[`\`${path}\``, typeOf(property), byDefault, property.description ?? '']];
  });
}

function typeOf({ enum: words, type, default: byDefault }: Property): string {
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(', ');
  if (type === 'string') return typeof byDefault === 'string' && /^\d+[smh]$/.test(byDefault) ? 'duration' : 'text';
  return type === 'integer' ? 'number' : (type ?? 'any');
}
