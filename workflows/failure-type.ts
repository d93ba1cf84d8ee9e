/** What kind of failure an activity ended with, and how long its kind is retried. */
import { ApplicationFailure, isCancellation, sleep, TemporalFailure } from '@temporalio/workflow';
import {
  BRIEF_DELAYS_MS,
  isFailureType,
  RETRY_CLASS,
  type FailureType,
  type RetryClass,
} from '../domain/failures.ts';

/** The type of the failure behind the error; null for a timeout without one. */
export function failureTypeOf(error: unknown): FailureType | null {
  for (let cause = error; cause instanceof TemporalFailure; cause = cause.cause) {
    if (!(cause instanceof ApplicationFailure)) continue;
    const type = cause.type ?? '';
    return isFailureType(type) ? type : 'unexpected_error';
  }
  return null;
}

/** A timeout is an outage: no worker took the activity, or it did not respond. */
export function retryClassOfError(error: unknown): RetryClass {
  const type = failureTypeOf(error);
  return type === null ? 'outage' : RETRY_CLASS[type];
}

/**
 * Retries what fails with a `brief` failure; Temporal itself retries only outages. By timers of the
 * workflow and not by a number of attempts: after a long outage an activity has had a hundred, and one
 * unexpected error must not end it.
 */
export async function retryBriefly<T>(work: () => Promise<T>): Promise<T> {
  for (const [retries, delayMs] of BRIEF_DELAYS_MS.entries()) {
    try {
      return await work();
    } catch (error) {
      if (isCancellation(error) || retryClassOfError(error) !== 'brief') throw error;
      // Each attempt may be another copy for the customer.
      if (failureTypeOf(error) === 'mail_unconfirmed' && retries > 0) throw error;
    }
    await sleep(delayMs, { summary: 'Wait before another attempt' });
  }
  return work();
}
