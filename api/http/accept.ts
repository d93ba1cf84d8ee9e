/** The Accept field (RFC 9110 §12.5.1). */
import { listMembers } from './field-list.ts';

/**
 * The media type that the client prefers, by weight, then by how exactly it is named, then by the
 * order of `available`. The first one when none is acceptable, because an answer in another form than
 * asked for is more useful than 406.
 */
export function preferredType(field: string | undefined, available: readonly string[]): string {
  const ranges = listMembers(field).map(({ name, parameters }) => ({
    name,
    weight: weightOf(parameters.get('q')),
  }));
  const [best] = available
    .map((type) => {
      const wildcard = type.replace(/\/.*/, '/*');
      // The most exact range counts, also when another one has a larger weight.
      for (const [exactness, name] of [type, wildcard, '*/*'].entries()) {
        const range = ranges.find((each) => each.name === name);
        if (range) return { type, weight: range.weight, exactness };
      }
      return { type, weight: 0, exactness: 3 };
    })
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight || a.exactness - b.exactness);
  return best?.type ?? available[0] ?? '*/*';
}

/** A weight that is no number between 0 and 1 is ignored. */
function weightOf(q = '1'): number {
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : 1;
}
