/** A failure in one line. Activities write every message themselves, so it has no personal data. */
import { rootCause } from '@temporalio/workflow';

export function failureSummary(error: unknown): string {
  return rootCause(error) ?? 'unknown failure';
}
