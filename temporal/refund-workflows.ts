/**
 * The API's view of the refund workflows. An interface, because Temporal may be down while refunds
 * are accepted: each call then answers `unavailable` instead of throwing.
 */
import type { RefundId } from '../domain/ids.ts';
import type { RefundStart } from '../prisma/payments/refunds.ts';
import type { RunOutcome, StartOutcome } from './checkout-workflows.ts';

export interface RefundClient {
  /** Starts the refund's workflow. Safe to repeat. */
  start(refund: RefundStart): Promise<StartOutcome>;
  /** Lets an open refund be tried again at a person's word, by a new run if none can go on with it. */
  retry(refund: RefundStart): Promise<{ readonly kind: 'begun' | 'unavailable' }>;
  /** Looks what the refund's workflow is doing. */
  inspect(refundId: RefundId): Promise<RunOutcome | { readonly kind: 'unavailable' }>;
}
