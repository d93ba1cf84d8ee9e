/**
 * Ends an order whose payment is not to be used: the payment is voided, then the order expires or is
 * declined. The request is recorded before the call, so one that dies in between is continued.
 */
import { providerKey } from '../domain/ids.ts';
import { cardMinor, type Order } from '../domain/order.ts';
import type { PaymentGateway } from '../gateways/payments.ts';
import type { StoredResponse } from '../prisma/access/idempotency.ts';
import type { Database } from '../prisma/client/client.ts';
import { recordExpired } from '../prisma/orders/expire-order.ts';
import { recordDeclined } from '../prisma/orders/settle-order.ts';
import { recordVoidRequested, type VoidRequest } from '../prisma/orders/voids.ts';

/** The API's responses to POST /v1/orders, stored when it is placed or declined. */
export interface OrderResponses {
  placed(order: Order): StoredResponse;
  declined(declineCode: string, requestId: string): StoredResponse;
}

export interface EndUnpaidDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
  readonly responses: OrderResponses;
}

/** The outcome is not known yet: repeat it. */
export interface Later {
  readonly kind: 'later';
  readonly reason: string;
  readonly retryAfterMs?: number;
}

/** Voids the payment, after which the order can no longer be placed, and ends the order. */
export async function endUnpaid(
  deps: EndUnpaidDeps,
  order: Order,
  wanted: VoidRequest,
): Promise<{ readonly kind: 'declined' | 'expired' } | Later> {
  const { db, payments, responses } = deps;
  const requested = await recordVoidRequested(db, order, wanted);
  if (requested === null) return { kind: 'later', reason: 'placed_meanwhile' };
  const { reference, declineCode } = requested;
  const outcome = await payments.voidAuthorization({
    key: providerKey(order.id, 'void'),
    orderId: order.id,
    reference,
    amount: { amountMinor: cardMinor(order), currency: order.currency },
  });
  if (outcome.kind !== 'done') return { kind: 'later', reason: 'void_not_done' };
  const voided = { reference, wasAuthorized: outcome.wasAuthorized };
  if (declineCode === null) {
    await recordExpired(db, order, voided);
    return { kind: 'expired' };
  }
  // Perhaps no request waits for the response: it is that of the request that opened the order.
  const response = responses.declined(declineCode, order.correlationId);
  await recordDeclined(db, order, { code: declineCode, reference, response, voided });
  return { kind: 'declined' };
}
