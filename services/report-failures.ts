/**
 * Reports dead letters in the log, where an alert may watch for them: each order and refund that needs a
 * person, and each cause of failures that is new or has come back. Other dead letters of a known cause say
 * nothing new. Exactly one process reports each; one that dies in between leaves it to the metrics.
 */
import type { Logger } from 'pino';
import { isRefundId } from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import { takeUnreported, type UnreportedDeadLetter } from '../prisma/events/unreported.ts';

/** Reports at most `limit`. */
export async function reportFailures(
  { db, log }: { readonly db: Database; readonly log: Logger },
  limit: number,
): Promise<void> {
  for (const deadLetter of await takeUnreported(db, limit)) {
    const { isNewCause, fingerprint } = deadLetter;
    const about = detailsOf(deadLetter);
    if (isNewCause) log.warn({ ...about, fingerprint }, 'a new cause of failures');
    const { source } = deadLetter;
    if (source === 'checkout') log.warn(about, 'an order needs a person');
    if (source === 'refund') log.warn(about, 'a refund needs a person');
  }
}

function detailsOf({ id, subject, orderId, error, retryCount }: UnreportedDeadLetter) {
  return {
    order_id: orderId,
    ...(isRefundId(subject) ? { step: 'refundPayment', refund_id: subject } : { step: subject }),
    cause: error,
    attempts: retryCount,
    dead_letter_id: id,
  };
}
