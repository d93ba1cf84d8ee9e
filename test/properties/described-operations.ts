/** The operations of the OpenAPI document, with a request to each, and every value in it by place. */
import { z } from 'zod';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

interface Schema {
  readonly $ref?: string | undefined;
  readonly type?: unknown;
  readonly example?: unknown;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[] | undefined;
  readonly format?: string | undefined;
  readonly minimum?: number | undefined;
  readonly items?: Schema | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
}
const schema: z.ZodType<Schema> = z.lazy(() =>
  z.looseObject({
    $ref: z.string().optional(),
    enum: z.array(z.unknown()).optional(),
    format: z.string().optional(),
    minimum: z.number().optional(),
    items: schema.optional(),
    properties: z.record(z.string(), schema).optional(),
  }),
);
const operation = z.looseObject({
  parameters: z
    .array(z.looseObject({ name: z.string(), in: z.enum(['path', 'query', 'header']), schema }))
    .default([]),
  requestBody: z
    .looseObject({ content: z.record(z.string(), z.looseObject({ schema })) })
    .optional(),
});
const document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), schema) }),
});

export interface DescribedOperation {
  readonly method: string;
  /** With `{name}` for each path parameter. */
  readonly path: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
  }[];
  /** A body as the schema describes it, with every member; undefined for a call without one. */
  readonly body: Json | undefined;
}

/** Reads `/openapi.json`. Every operation is in the result. */
export function describedOperations(json: unknown): readonly DescribedOperation[] {
  const { paths, components } = document.parse(json);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody }]) => {
      const described = requestBody?.content['application/json']?.schema;
      const body = described && exampleOf(described, components.schemas);
      return { method: method.toUpperCase(), path, parameters, body };
    }),
  );
}

function exampleOf(given: Schema, named: Readonly<Record<string, Schema>>): Json {
  const one = given.$ref === undefined ? given : named[given.$ref.split('/').at(-1) ?? ''];
  if (one === undefined) throw new Error(`the document has no ${given.$ref}`);
  const known = [one.example, one.const, one.default, one.enum?.[0]].find(
    (each) => each !== undefined,
  );
  if (known !== undefined) return jsonValue.parse(known);
  if (one.properties) {
    const members = Object.entries(one.properties);
    return Object.fromEntries(members.map(([name, member]) => [name, exampleOf(member, named)]));
  }
  if (one.items) return [exampleOf(one.items, named)];
  if ([one.type].flat().includes('integer')) return one.minimum ?? 1;
  if ([one.type].flat().includes('boolean')) return true;
  return BY_FORMAT[one.format ?? ''] ?? 'text';
}

const BY_FORMAT: Readonly<Record<string, string>> = {
  'date-time': '2026-01-31T12:00:00Z',
  uuid: '01890a5d-ac96-774b-bcce-b302099a8057',
  email: 'ada@example.com',
};
const jsonValue: z.ZodType<Json> = z.json();

/** The path of every scalar in a JSON value. */
export function placesIn(
  value: Json,
  path: readonly string[] = [],
): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, item]) => placesIn(item, [...path, name]));
}

/** A copy of the value with something else at the path. */
export function replacedAt(value: Json, path: readonly string[], by: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined || typeof value !== 'object' || value === null) return by;
  const members = Object.entries(value).map(([key, item]) => [
    key,
    key === name ? replacedAt(item, rest, by) : item,
  ]);
  return Array.isArray(value) ? members.map(([, item]) => item) : Object.fromEntries(members);
}
