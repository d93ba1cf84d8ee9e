/** Command lines of the tools, and the end of their processes. */
import process from 'node:process';

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

/**
 * Ends the process when all its output is written. The SDK's attempt to connect to a Temporal that does not
 * respond cannot be aborted, and would keep it.
 */
export function exitWith(code: number): void {
  process.stdout.write('', () => process.exit(code));
}

/** Runs a parser; its errors become UsageErrors. */
export function usageChecked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
