/** A failure in one line for people. Activities put only their own words into messages (G8). */
import { rootCause } from '@temporalio/workflow';

export function failureSummary(error: unknown): string {
  return rootCause(error) ?? 'unknown failure';
}
