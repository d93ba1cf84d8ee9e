/** Compares the outcome of a scenario with the expected one. Pure. */
import type { Outcome } from './scenarios.ts';

/** An outcome as it was found: the same fields, any values. */
export type Found = { readonly [Field in keyof Outcome]: unknown };

/** One line per field that differs from what was expected. */
export function mismatches(expected: Outcome, found: Found): readonly string[] {
  return FIELDS.flatMap((field) => {
    const [wanted, is] = [text(expected[field]), text(found[field])];
    return wanted === is ? [] : [`${field} is ${is}, expected ${wanted}`];
  });
}

const FIELDS = [
  'httpStatus',
  'code',
  'status',
  'cancelReason',
  'payment',
  'workflow',
  'effects',
  'mails',
  'stillHeld',
] as const satisfies readonly (keyof Outcome)[];

/** Equal for equal values, whatever the order of members or entries. */
function text(value: unknown): string {
  if (value === null) return 'none';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return JSON.stringify(value) ?? 'none';
  const parts = Array.isArray(value)
    ? value.map(text)
    : Object.entries(value).map(([name, count]) => `${name} ${text(count)}`);
  return parts.toSorted().join(', ') || 'none';
}
