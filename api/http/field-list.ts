/** Lists in header fields (RFC 9110 §5.6): `application/json;q=0.5, text/*`. */

/** One member of a list. Names are in lower case, values without their quotes. */
export interface ListMember {
  readonly name: string;
  /** Of `name=value`; empty without one. */
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What stands between commas, and between semicolons; neither counts in a quoted string. */
const MEMBER = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g;
const PART = /(?:"(?:[^"\\]|\\.)*"|[^";])+/g;
/** Every client sends less. The time for a string without an end grows with the square of the length. */
const MAX_LENGTH = 1_024;

/** The members of a field, in their order; of a long one those that fit. Empty without the field. */
export function listMembers(field = ''): readonly ListMember[] {
  const members = field.slice(0, MAX_LENGTH).match(MEMBER) ?? [];
  // The last one may be cut.
  const whole = field.length > MAX_LENGTH ? members.slice(0, -1) : members;
  return whole.flatMap((member) => {
    const [first, ...rest] = (member.match(PART) ?? []).map(toPair);
    if (first === undefined || first[0] === '') return [];
    return [{ name: first[0], value: first[1], parameters: new Map(rest) }];
  });
}

function toPair(part: string): readonly [name: string, value: string] {
  const [name = '', ...rest] = part.split('=');
  const value = rest.join('=').trim();
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(value) ?? [];
  return [name.trim().toLowerCase(), quoted?.replaceAll(/\\(.)/gs, '$1') ?? value];
}
