import { z } from 'zod';
import { joinPath, nearestAt, type Node, nodeError, plainOf } from './node.ts';
import { unknownKey } from './object.ts';
import type { ProjectSettings, ServiceSettings } from './project-settings.ts';
import { projectSettingsOf, serviceSettingsOf } from './settings-read.ts';
import { projectSettingsSchema, serviceSettingsSchema } from './settings-schema.ts';

/** Validates the project's `x-bascule`; without one, all defaults. Throws `compose-invalid`. */
export function readProjectSettings(node: Node | undefined): ProjectSettings {
  return projectSettingsOf(validate(projectSettingsSchema, node, 'x-bascule'));
}

/** What a project without `x-bascule` has. */
export function defaultSettings(): ProjectSettings {
  return readProjectSettings(undefined);
}

/** Validates a service's `x-bascule`. Throws `compose-invalid`. */
export function readServiceSettings(node: Node | undefined, path: string): ServiceSettings {
  return serviceSettingsOf(validate(serviceSettingsSchema, node, path));
}

function validate<T extends z.ZodType>(schema: T, node: Node | undefined, path: string): z.output<T> {
  const plain = node === undefined ? {} : (plainOf(node) ?? {});
  const result = schema.safeParse(plain);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw settingsError(schema, { node: node as Node, path, issue: issue as z.core.$ZodIssue });
}

interface Broken {
  readonly node: Node;
  readonly path: string;
  readonly issue: z.core.$ZodIssue;
}

function settingsError(schema: z.ZodType, { node, path, issue }: Broken) {
  const keys = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
  const at = nearestAt(node, keys);
  const below = keys.reduce<string>(joinPath, path);
  if (issue.code !== 'unrecognized_keys') {
    return nodeError(at, below, issue.message, 'See x-bascule in docs/compose.md.');
  }
  const [key = ''] = issue.keys;
  const keyAt = at.kind === 'map' ? at.entries.get(key)?.keyAt : undefined;
  return unknownKey(key, keyAt ?? at.at, joinPath(below, key), keysAt(schema, keys));
}

/** The keys that the schema knows at a path. */
function keysAt(schema: z.ZodType, path: readonly (string | number)[]): readonly string[] {
  const found = path.reduce<unknown>((current, key) => memberOf(current, key), unwrap(schema));
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

function memberOf(schema: unknown, key: string | number): unknown {
  if (schema instanceof z.ZodObject) return unwrap(schema.shape[key]);
  if (schema instanceof z.ZodArray) return unwrap(schema.element);
  return schema instanceof z.ZodRecord ? unwrap(schema.valueType) : undefined;
}

function unwrap(schema: unknown): unknown {
  const isWrapper =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return isWrapper ? unwrap(schema.unwrap()) : schema;
}
