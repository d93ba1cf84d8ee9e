/** The form in which the environment is checked. */

/** Trimmed values; empty ones are absent. */
export type Values = Readonly<Record<string, string | undefined>>;

/** One refused variable, and what to set instead. */
export interface ConfigProblem {
  readonly variable: string;
  readonly problem: string;
  /** ALLOW_UNSAFE can name the variable. */
  readonly isAllowable?: boolean;
}

/** The items of a list that is separated by commas or spaces. */
export function listOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(/[\s,]+/).filter((item) => item !== '');
}
