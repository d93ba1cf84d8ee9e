/** What a handler of payment webhooks gets and returns. The table of handlers: handlers.ts. */
import type { Logger } from 'pino';
import type { Database } from '../../prisma/client/client.ts';
import type { InboxMessage } from '../../prisma/events/inbox.ts';
import type { PaymentCaseDeps } from '../payment-cases.ts';
import type { SettleAndStartDeps } from '../settle-action.ts';
import type { RefundClient } from '../../temporal/refund-client.ts';

export interface PaymentWebhookDeps extends SettleAndStartDeps, PaymentCaseDeps {
  readonly log: Logger;
  readonly refunds: RefundClient;
  /** Logs and counts a genuine message that is not understood. */
  readonly onNotUnderstood: (message: InboxMessage) => void;
}

/**
 * `done`: the state of the named object is applied. `later`: the provider does not respond, or our own
 * record is not written yet; the message is handled again, for three days. `compare`: nothing to act on;
 * the message is compared with our records, as one of a type without a handler. `unknown_payment`: not a
 * payment of ours. `not_understood`: it does not name the object.
 */
export type HandlerOutcome = 'done' | 'later' | 'compare' | 'unknown_payment' | 'not_understood';

/**
 * A webhook is a hint, never a fact: a handler looks the named object up at the provider and applies its
 * state as it is now. So webhooks may come in any order, twice, late, and at several processes at once.
 */
export interface PaymentWebhookHandler {
  /**
   * Of these messages, those that it acts on (their ids), in one statement: for types of which each
   * order has a message. The others are compared with our records. All, unless given.
   */
  readonly select?: (
    db: Database,
    messages: readonly InboxMessage[],
  ) => Promise<ReadonlySet<string>>;
  readonly handle: (deps: PaymentWebhookDeps, message: InboxMessage) => Promise<HandlerOutcome>;
}
