/**
 * Writes the tables of docs/compose.md and docs/cli.md from the schemas that validate `x-bascule` and the daemon's
 * configuration file.
 * usage: node scripts/reference.ts [--check]      --check: only say whether they agree
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { projectSettingsSchema, serviceSettingsSchema } from '../src/delivery/compose/index.ts';
import { configurationSchema } from '../src/server/configuration/index.ts';

const SCHEMAS: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  'docs/compose.md': { projectSettingsSchema, serviceSettingsSchema },
  'docs/cli.md': { configurationSchema },
};

interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Property>>;
  readonly title?: string;
  readonly items?: Property;
  readonly anyOf?: readonly Property[];
  readonly additionalProperties?: Property | boolean;
}

for (const [file, schemas] of Object.entries(SCHEMAS)) {
  const text = readFileSync(file, 'utf8');
  const updated = updatedText(text, schemas);
  if (!process.argv.includes('--check')) writeFileSync(file, updated);
  else if (updated !== text) {
    console.error(`${file} does not say what the schemas say: run \`node scripts/reference.ts\``);
    process.exitCode = 1;
  }
}

function updatedText(text: string, schemas: Readonly<Record<string, z.ZodType>>): string {
  return Object.entries(schemas).reduce((document, [name, schema]) => {
    const table = renderTable(z.toJSONSchema(schema, { io: 'input' }) as Property);
    const section = new RegExp(`(<!-- generated from ${name} -->\n)[^]*?(<!-- end -->)`);
    return document.replace(section, (_all, start: string, end: string) => `${start}${table}${end}`);
  }, text);
}

function renderTable(schema: Property): string {
  const rows = rowsOf(schema, '').map((cells) => `| ${cells.join(' | ')} |\n`);
  return `| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function rowsOf(schema: Property, prefix: string): readonly (readonly string[])[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => rowsOfKey(`${prefix}${key}`, property));
}

function rowsOfKey(path: string, property: Property): readonly (readonly string[])[] {
  if (property.properties !== undefined) return rowsOf(property, `${path}.`);
  const row = [`\`${path}\``, typeOf(property), defaultOf(property), property.description ?? ''];
  const named = typeof property.additionalProperties === 'object' ? property.additionalProperties : undefined;
  if (named !== undefined) return [row, ...rowsOf(named, `${path}.<name>.`)];
  return [row, ...membersOf(property.items).flatMap((member) => rowsOf(member, `${path}[].`))];
}

function membersOf(items: Property | undefined): readonly Property[] {
  if (items === undefined) return [];
  return items.anyOf ?? [items];
}

function defaultOf({ default: value }: Property): string {
  const isEmpty = typeof value === 'object' && Object.keys(value ?? {}).length === 0;
  if (value === undefined || value === '' || isEmpty) return '–';
  return `\`${Array.isArray(value) ? value.join(', ') : String(value)}\``;
}

function typeOf(property: Property): string {
  const { title, enum: words, type, items, anyOf, additionalProperties } = property;
  if (title !== undefined) return title;
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(', ');
  if (type === 'array') return items?.enum === undefined ? 'list' : `list of ${typeOf(items)}`;
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf))].join(' or ');
  if (type === 'object') return typeof additionalProperties === 'object' ? 'mapping' : keysOf(property);
  const names: Readonly<Record<string, string>> = { string: 'text', integer: 'number', boolean: 'true or false' };
  return names[type ?? ''] ?? type ?? 'any';
}

function keysOf({ properties = {} }: Property): string {
  return Object.keys(properties)
    .map((key) => `\`${key}\``)
    .join(', ');
}
