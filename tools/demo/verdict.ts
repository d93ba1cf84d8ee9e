/** Compares how an order ended with how it should have. Pure. */
import type { Ending } from './scenarios.ts';

/** An ending as it was found: the same questions, any answer. */
export type Seen = { readonly [Question in keyof Ending]: unknown };

/** One line per difference; none when the order ended as it should. */
export function differences(ends: Ending, seen: Seen): readonly string[] {
  return QUESTIONS.flatMap((question) => {
    const [should, is] = [text(ends[question]), text(seen[question])];
    return should === is ? [] : [`${question} is ${is}, should be ${should}`];
  });
}

const QUESTIONS = [
  'answer',
  'code',
  'status',
  'cancelReason',
  'payment',
  'workflow',
  'effects',
  'mails',
  'stillHeld',
] as const satisfies readonly (keyof Ending)[];

/** Equal for equal values: neither the order of members nor that of a list's entries matters. */
function text(value: unknown): string {
  if (value === null) return 'none';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return JSON.stringify(value) ?? 'none';
  const parts = Array.isArray(value)
    ? value.map(text)
    : Object.entries(value).map(([name, count]) => `${name} ${text(count)}`);
  return parts.toSorted().join(', ') || 'none';
}
