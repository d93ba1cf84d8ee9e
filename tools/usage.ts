/** Command lines of the tools. */

/** The command line is wrong. The message is for a person. */
export class UsageError extends Error {}

/** A whole number given on the command line. Throws UsageError. */
export function wholeNumber(
  name: string,
  text: string,
  { least = 0, most = 999_999 }: { readonly least?: number; readonly most?: number } = {},
): number {
  const value = Number(text);
  const isValid = /^\d+$/.test(text) && value >= least && value <= most;
  if (isValid) return value;
  throw new UsageError(`${name} needs a whole number from ${least} to ${most}, not "${text}".`);
}

/** Runs a parser; its errors become UsageErrors. */
export function usageChecked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
