import { z } from 'zod';
import { configurationSchema } from './schema.ts';

interface Shape {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
}

/** Every key that can be set, dotted, in the order of the schema. */
export function keysOf(): readonly string[] {
  return leavesOf(shape(), '');
}

/** The keys that may stand at a place; at an unknown place none. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  return Object.keys(shapeAt(path)?.properties ?? {});
}

/** What a key means; undefined where there is none. */
export function meaningOf(path: readonly PropertyKey[]): string | undefined {
  return shapeAt(path)?.description;
}

function shapeAt(path: readonly PropertyKey[]): Shape | undefined {
  return path.reduce<Shape | undefined>((found, key) => found?.properties?.[String(key)], shape());
}

function shape(): Shape {
  return z.toJSONSchema(configurationSchema, { io: 'input' }) as Shape;
}

function leavesOf({ properties = {} }: Shape, prefix: string): readonly string[] {
  return Object.entries(properties).flatMap(([key, below]) =>
    below.properties === undefined ? [`${prefix}${key}`] : leavesOf(below, `${prefix}${key}.`),
  );
}
