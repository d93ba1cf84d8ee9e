/**
 * Checks what a workflow is given: an operator may send anything from the Web UI or the CLI, and a
 * workflow that throws at it fails its task for ever. Pure and without a library, because the module is
 * loaded anew for each workflow.
 */
import { isJobId, isOrderId, isRefundId } from '../domain/ids.ts';
import { isCount, isLine, isStorable, toInstant } from '../domain/text.ts';

export interface Schema<T> {
  /** What is expected, after "must be". */
  readonly expected: string;
  is(value: unknown): value is T;
  /** The value without unexpected members, which could replace others where it is spread. */
  strip(value: unknown): unknown;
  /** Why the value is refused. It names members and never quotes the value. */
  explain(value: unknown, name: string): string;
}

export type Parsed<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'invalid'; readonly reason: string };

/** `name` says in the refusal what the value is. */
export function parse<T>(schema: Schema<T>, value: unknown, name: string): Parsed<T> {
  const stripped = schema.strip(value);
  if (schema.is(stripped)) return { kind: 'valid', value: stripped };
  return { kind: 'invalid', reason: schema.explain(value, name) };
}

/** A value for which `holds` is true. */
export function leaf<T>(expected: string, holds: (value: unknown) => value is T): Schema<T> {
  return {
    expected,
    is: holds,
    strip: (value) => value,
    explain: (_value, name) => `${name} must be ${expected}`,
  };
}

export const count = leaf('a whole number from 0', isCount);
export const bool = leaf('true or false', (value) => typeof value === 'boolean');
export const milliseconds = leaf(
  'a number from 0',
  (value): value is number => typeof value === 'number' && value >= 0,
);
export const time = leaf(
  'a time (RFC 3339)',
  (value): value is string => toInstant(value) !== null,
);
/** For what we have written ourselves: refused only where no store keeps it. */
export const storable = leaf(
  'text',
  (value): value is string => typeof value === 'string' && isStorable(value),
);
export const orderId = leaf(
  'an order id',
  (value) => typeof value === 'string' && isOrderId(value),
);
export const refundId = leaf(
  'a refund id',
  (value) => typeof value === 'string' && isRefundId(value),
);
export const jobId = leaf('a job id', (value) => typeof value === 'string' && isJobId(value));
export const currency = leaf(
  'a currency code',
  (value): value is string => typeof value === 'string' && /^[A-Z]{3}$/.test(value),
);
/** The name of the person who decides, as the audit log shows it. */
export const actor = line(200);

export function line(maxLength: number): Schema<string> {
  const holds = (value: unknown): value is string => isLine(value, maxLength);
  return leaf(`one line of at most ${maxLength} characters`, holds);
}

export function oneOf<const T extends string>(values: readonly T[]): Schema<T> {
  const holds = (value: unknown): value is T => values.some((each) => each === value);
  return leaf(`one of ${values.join(', ')}`, holds);
}

export function nullable<T>(schema: Schema<T>): Schema<T | null> {
  return {
    ...schema,
    expected: `${schema.expected}, or null`,
    is: (value): value is T | null => value === null || schema.is(value),
    strip: (value) => (value === null ? null : schema.strip(value)),
  };
}

/** The member may be missing. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return {
    ...schema,
    is: (value): value is T | undefined => value === undefined || schema.is(value),
    strip: (value) => (value === undefined ? undefined : schema.strip(value)),
  };
}

export function listOf<T>(item: Schema<T>, maxLength: number): Schema<readonly T[]> {
  const holds = (value: unknown): value is readonly T[] =>
    Array.isArray(value) && value.length <= maxLength && value.every((each) => item.is(each));
  return leaf(`a list of at most ${maxLength}, each ${item.expected}`, holds);
}

/** An object with a schema for each of the members of T. */
export function object<T extends object>(members: {
  readonly [K in keyof Required<T>]: Schema<T[K]>;
}): Schema<T> {
  const entries = Object.entries<Schema<unknown>>(members);
  const names = entries.map(([name]) => name).join(', ');
  return {
    expected: `an object with ${names}`,
    is: (value): value is T =>
      isObject(value) && entries.every(([name, member]) => member.is(value[name])),
    strip: (value) =>
      isObject(value)
        ? Object.fromEntries(
            entries.flatMap(([name, member]) =>
              value[name] === undefined ? [] : [[name, member.strip(value[name])]],
            ),
          )
        : value,
    explain(value, name) {
      if (!isObject(value)) return `${name} must be an object with ${names}`;
      const wrong = entries.filter(([key, member]) => !member.is(member.strip(value[key])));
      return wrong.map(([key, member]) => member.explain(value[key], `${name}.${key}`)).join('; ');
    },
  };
}

/** One of several objects, distinguished by their member `kind`. */
export function variants<T extends { readonly kind: string }>(schemas: {
  readonly [K in T['kind']]: Schema<Extract<T, { readonly kind: K }>>;
}): Schema<T> {
  const byKind = new Map(Object.entries<Schema<unknown>>(schemas));
  const of = (value: unknown): Schema<unknown> | undefined =>
    isObject(value) && typeof value['kind'] === 'string' ? byKind.get(value['kind']) : undefined;
  const expected = `an object with kind ${[...byKind.keys()].join(' or ')}`;
  return {
    expected,
    is: (value): value is T => of(value)?.is(value) === true,
    strip: (value) => of(value)?.strip(value) ?? value,
    explain: (value, name) => of(value)?.explain(value, name) ?? `${name} must be ${expected}`,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
