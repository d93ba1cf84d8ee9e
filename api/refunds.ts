/**
 * The API's view of the refund workflows. An interface, because Temporal may be down while refunds
 * are accepted: each call then answers `unavailable` instead of throwing.
 */
import type { RefundStart } from '../prisma/refunds.ts';
import type { StartOutcome } from './checkouts.ts';

export interface Refunds {
  /** Starts the refund's workflow. Safe to repeat. */
  start(refund: RefundStart): Promise<StartOutcome>;
  /** Lets a refund that waits for a person be tried again, starting its workflow if that is gone. */
  retry(refund: RefundStart): Promise<{ readonly kind: 'begun' | 'not_waiting' | 'unavailable' }>;
}
