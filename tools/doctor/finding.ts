/** What the doctor found, one line each, and what all of them mean for the exit code. */

/** `unknown`: there was no answer. `note`: what no reading can find out, or what is good to know. */
type Verdict = 'passed' | 'note' | 'warning' | 'failed' | 'unknown';

export interface Finding {
  readonly verdict: Verdict;
  /** A sentence for a person. It never has a key or a secret. */
  readonly text: string;
}

export function found(verdict: Verdict, text: string): Finding {
  return { verdict, text };
}

/** 1: a check failed. 3: none failed, but one got no answer. 0: neither. */
export function exitCodeOf(findings: readonly Finding[]): number {
  const has = (wanted: Verdict): boolean => findings.some(({ verdict }) => verdict === wanted);
  if (has('failed')) return 1;
  return has('unknown') ? 3 : 0;
}

/** One line of the report. What needs a person is in capitals. */
export function lineOf({ verdict, text }: Finding): string {
  const isFine = verdict === 'passed' || verdict === 'note';
  return `${(isFine ? verdict : verdict.toUpperCase()).padEnd(8)} ${text}`;
}
