/** Lists in header fields (RFC 9110 §5.6): `application/json;q=0.5, text/*`. */

/** One member of a list. Names are in lower case, values without their quotes. */
export interface ListMember {
  readonly name: string;
  /** Of `name=value`; empty without one. */
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What stands between commas, and between semicolons; neither counts in a quoted string. */
const MEMBER = /(?:"(?:[^"\\]|\\.)*"|[^,])+/g;
const PART = /(?:"(?:[^"\\]|\\.)*"|[^;])+/g;

/** The members of a field, in their order; empty without the field. */
export function listMembers(field = ''): readonly ListMember[] {
  return (field.match(MEMBER) ?? []).flatMap((member) => {
    const [first, ...rest] = (member.match(PART) ?? []).map(toPair);
    if (first === undefined || first[0] === '') return [];
    return [{ name: first[0], value: first[1], parameters: new Map(rest) }];
  });
}

function toPair(part: string): readonly [name: string, value: string] {
  const [, name = '', value = ''] = /^\s*([^=]*?)\s*(?:=\s*(.*?)\s*)?$/s.exec(part) ?? [];
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(value) ?? [];
  return [name.toLowerCase(), quoted?.replaceAll(/\\(.)/gs, '$1') ?? value];
}
