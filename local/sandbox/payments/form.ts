/** Reads Stripe's form encoding: flat names such as `metadata[order_id]` and `expand[0]`. */

export interface Form {
  text(name: string): string | null;
  /** Entries of `name[...]`, e.g. the metadata. */
  entries(name: string): Record<string, string>;
  /** Values of `name[]` or `name[0]`, `name[1]`, ... */
  list(name: string): readonly string[];
  /** The same for the same parameters in any order. */
  canonical(): string;
}

export function parseForm(text: string): Form {
  const params = new URLSearchParams(text);
  const entries = (name: string): Record<string, string> =>
    Object.fromEntries(
      [...params]
        .filter(([key]) => key.startsWith(`${name}[`) && key.endsWith(']'))
        .map(([key, value]) => [key.slice(name.length + 1, -1), value]),
    );
  return {
    text: (name) => params.get(name),
    entries,
    list: (name) =>
      [...params].filter(([key]) => key.startsWith(`${name}[`)).map(([, value]) => value),
    canonical: () => {
      const sorted = new URLSearchParams(params);
      sorted.sort();
      return sorted.toString();
    },
  };
}
