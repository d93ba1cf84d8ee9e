/**
 * Settles an order whose payment the shopper has to confirm. The storefront, the provider's webhook,
 * recovery and the sweep call it. It looks the payment up and applies its state as it is now, so it may be
 * called at any time, in any order, any number of times, and by several processes at once: the order's
 * lock lets one of them settle.
 */
import type { OrderId } from '../domain/ids.ts';
import type { Order } from '../domain/order.ts';
import type { PaymentAction, ProviderPayment } from '../gateways/payments.ts';
import type { NoResponse } from '../gateways/resilience/outcome.ts';
import { findOrder, startOf } from '../prisma/orders/orders.ts';
import { findPaymentWait, type PaymentWait } from '../prisma/orders/payment-actions.ts';
import { recordExpired } from '../prisma/orders/expire-order.ts';
import { recordPlaced } from '../prisma/orders/settle-order.ts';
import { findUnfinishedVoid, type VoidRequest } from '../prisma/orders/voids.ts';
import { settledActions } from '../telemetry/payment-actions.ts';
import { withinTrace } from '../telemetry/tracing.ts';
import type { CheckoutStarter } from './checkout-starter.ts';
import { endUnpaid, type EndUnpaidDeps, type Later } from './end-unpaid.ts';

export type ActionOutcome =
  /** The order does not wait any more. `placed`: by this call; its workflow is not started yet. */
  | { readonly kind: 'not_waiting'; readonly placed: Order | null }
  | { readonly kind: 'waiting'; readonly action: PaymentAction; readonly expiresAt: string }
  | Later;

/**
 * Places the order when the shopper has confirmed the payment; declines it when that failed; expires it
 * past its deadline. Does nothing for an order that does not wait.
 */
export async function settleAction(deps: EndUnpaidDeps, orderId: OrderId): Promise<ActionOutcome> {
  const wait = await findPaymentWait(deps.db, orderId);
  const order = wait && (await findOrder(deps.db, orderId));
  if (order === null || wait === null) return NOT_WAITING;
  return withinTrace(order.traceparent, () => settleWaiting(deps, order, wait));
}

export interface SettleAndStartDeps extends EndUnpaidDeps {
  readonly starter: Pick<CheckoutStarter, 'startInBackground'>;
}

/** The same in a process of the API, which starts the workflow of the order that it has placed. */
export async function settleAndStart(
  deps: SettleAndStartDeps,
  orderId: OrderId,
): Promise<ActionOutcome> {
  const outcome = await settleAction(deps, orderId);
  const placed = outcome.kind === 'not_waiting' ? outcome.placed : null;
  if (placed !== null) deps.starter.startInBackground(startOf(placed));
  return outcome;
}

const NOT_WAITING = { kind: 'not_waiting', placed: null } as const;

async function settleWaiting(
  deps: EndUnpaidDeps,
  order: Order,
  wait: PaymentWait,
): Promise<ActionOutcome> {
  const begun = await findUnfinishedVoid(deps.db, order.id);
  if (begun !== null) return end(deps, order, begun);
  const { reference } = wait;
  const found = await deps.payments.lookUp({ orderId: order.id, reference });
  switch (found.kind) {
    case 'found':
      return apply(deps, { order, wait, payment: found.payment });
    case 'absent':
      return absent(deps, order, wait);
    case 'unknown':
    case 'unavailable':
      return notAnswered(found);
  }
}

async function apply(
  deps: EndUnpaidDeps,
  { order, wait, payment }: WaitingPayment,
): Promise<ActionOutcome> {
  const { reference } = wait;
  switch (payment.state) {
    case 'authorized':
    case 'captured':
      return place(deps, order, payment);
    case 'declined':
      // Voided as well: the secret would still let the shopper pay with another card.
      return end(deps, order, { reference, declineCode: payment.declineCode ?? 'card_declined' });
    case 'voided':
      return end(deps, order, { reference, declineCode: wait.isOverdue ? null : 'canceled' });
    case 'action_required':
      if (wait.isOverdue || payment.action === null) {
        return end(deps, order, { reference, declineCode: null });
      }
      return {
        kind: 'waiting',
        action: payment.action,
        expiresAt: wait.expiresAt.toISOString(),
      };
    case 'processing':
      // It may never be judged. A void that is refused while the provider works is repeated.
      return wait.isOverdue
        ? end(deps, order, { reference, declineCode: null })
        : { kind: 'later', reason: 'processing' };
  }
}

interface WaitingPayment {
  readonly order: Order;
  readonly wait: PaymentWait;
  readonly payment: ProviderPayment;
}

async function place(
  { db, responses }: EndUnpaidDeps,
  order: Order,
  { reference, captureBefore }: ProviderPayment,
): Promise<ActionOutcome> {
  const authorized = { reference, captureBefore, response: responses.placed };
  const recorded = await recordPlaced(db, order, authorized);
  if (recorded.kind === 'answered') {
    settledActions.inc({ outcome: 'placed' });
    return { kind: 'not_waiting', placed: order };
  }
  // Another call was faster: it has placed the order, or is voiding the payment.
  return stillWaits(db, order.id);
}

async function end(deps: EndUnpaidDeps, order: Order, why: VoidRequest): Promise<ActionOutcome> {
  const ended = await endUnpaid(deps, order, why);
  if (ended.kind === 'later') {
    return ended.reason === 'placed_meanwhile' ? stillWaits(deps.db, order.id) : ended;
  }
  settledActions.inc({ outcome: ended.kind });
  return NOT_WAITING;
}

async function stillWaits(db: EndUnpaidDeps['db'], orderId: OrderId): Promise<ActionOutcome> {
  const wait = await findPaymentWait(db, orderId);
  return wait === null ? NOT_WAITING : { kind: 'later', reason: 'changed_meanwhile' };
}

/** The provider has no such payment (any more), as with the keys of another account: nothing is held. */
async function absent(
  { db }: EndUnpaidDeps,
  order: Order,
  { isOverdue }: PaymentWait,
): Promise<ActionOutcome> {
  if (!isOverdue) return { kind: 'later', reason: 'absent' };
  await recordExpired(db, order, null);
  settledActions.inc({ outcome: 'expired' });
  return NOT_WAITING;
}

function notAnswered(answer: NoResponse): Later {
  if (answer.kind === 'unknown') {
    return { kind: 'later', reason: answer.notUnderstood ? 'not_understood' : 'unknown' };
  }
  return { kind: 'later', reason: 'unavailable', retryAfterMs: answer.retryAfterMs };
}
