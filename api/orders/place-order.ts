/**
 * Places one order while the shopper waits, in three phases: open or resume the order, authorize or
 * look up the payment, settle (settle-order.ts). The process may die between any two statements: each
 * phase is committed before the next begins, and a retry with the same Idempotency-Key continues where
 * the last attempt stopped, with the same provider key. A request whose client has gone starts nothing
 * new, but finishes what it has started.
 */
import { providerKey } from '../../domain/ids.ts';
import { cardMinor, type Order, type OrderLine } from '../../domain/order.ts';
import { readKeyState, releaseKey, type KeyState } from '../../prisma/access/idempotency.ts';
import { isOverdue } from '../../prisma/orders/orders.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { findOffers } from '../../prisma/catalog/products.ts';
import { findShortages } from '../../prisma/catalog/stock.ts';
import { findPaymentWait } from '../../prisma/orders/payment-actions.ts';
import { findQuote } from '../../prisma/orders/quotes.ts';
import { settleAndStart } from '../../services/settle-action.ts';
import { draftOrder, type PlaceOrderRequest, type Prices } from './order-draft.ts';
import { inFlight, keyReused } from '../http/idempotent.ts';
import {
  creditInsufficient,
  outOfStock,
  paymentNotAttempted,
  requestTimedOut,
} from './responses.ts';
import {
  currentOutcome,
  refused,
  replayed,
  requireOrder,
  settle,
  stayPending,
  waitsFor,
  type PaymentResult,
  type PlaceOrderDeps,
  type PlaceOrderOutcome,
} from './settle-order.ts';

/** Places the order, or continues what an earlier attempt with the same key began. */
export async function placeOrder(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
): Promise<PlaceOrderOutcome> {
  const opened = await openOrResume(deps, request);
  if (opened.kind !== 'opened') return opened;
  const payment = await authorizeOrLookUp(deps, request, opened.order);
  return settle(deps, request, { ...opened, payment });
}

/** Phase 1: an order that is pending with its units held, or the outcome when the request ends here. */
type Opened =
  | {
      readonly kind: 'opened';
      readonly order: Order;
      /** No earlier attempt may have reached the provider. */
      readonly isNew: boolean;
    }
  | PlaceOrderOutcome;

async function openOrResume(deps: PlaceOrderDeps, request: PlaceOrderRequest): Promise<Opened> {
  const skus = [...new Set(request.body.lines.map((line) => line.sku))];
  const { quote: quoteId } = request.body;
  const [key, offers, quote] = await Promise.all([
    readKeyState(deps.db, request.claim),
    findOffers(deps.db, skus),
    quoteId === undefined ? undefined : findQuote(deps.db, quoteId),
  ]);
  return key.kind === 'free' ? open(deps, request, { offers, quote }) : resume(deps, request, key);
}

async function open(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  prices: Prices,
): Promise<Opened> {
  const drafted = draftOrder(request, prices, deps.payments);
  if (drafted.kind === 'refused') return drafted;
  if (request.signal.aborted) return refused(requestTimedOut());
  // No units are held while the circuit breaker would refuse the authorization anyway.
  const unavailable = cardMinor(drafted.draft) > 0 ? deps.payments.authorizeUnavailable() : null;
  if (unavailable !== null) return refused(paymentNotAttempted(unavailable));
  const { lines, currency, creditMinor } = drafted.draft;
  const soldOut = drafted.isShort ? await refuseShort(deps, request, lines) : null;
  if (soldOut !== null) return soldOut;
  const opened = await openOrder(deps.db, request.claim, drafted.draft);
  switch (opened.kind) {
    case 'opened':
      return { ...opened, isNew: true };
    case 'out_of_stock':
      return refused(outOfStock(opened.shortages));
    case 'credit_insufficient': {
      const credit = { amountMinor: opened.availableMinor, currency };
      return refused(creditInsufficient(credit, creditMinor));
    }
    case 'key_taken':
      return resume(deps, request, await readKeyState(deps.db, request.claim));
  }
}

/**
 * The outcome of an order for more units than there are, found without writing or locking anything: most
 * requests of a rush on one product end here. Null when there are enough now. The key is read after the
 * stock, because an earlier attempt with this key may be the one that holds the units.
 */
async function refuseShort(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  lines: readonly OrderLine[],
): Promise<Opened | null> {
  const shortages = await findShortages(deps.db, lines);
  if (shortages.length === 0) return null;
  const key = await readKeyState(deps.db, request.claim);
  return key.kind === 'free' ? refused(outOfStock(shortages)) : resume(deps, request, key);
}

/** Continues from a key that was seen before. */
async function resume(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  key: KeyState,
): Promise<Opened> {
  switch (key.kind) {
    case 'other_request':
      return refused(keyReused());
    // `free`: the claim we collided with was rolled back. The next retry starts afresh.
    case 'free':
    case 'in_flight':
      return refused(inFlight());
    case 'completed':
      return replayed(key);
    case 'abandoned': {
      // This attempt now holds the lease on the key.
      const order = await requireOrder(deps.db, key.orderId);
      if ((await findPaymentWait(deps.db, order.id)) !== null) {
        return continueWaiting(deps, request, order);
      }
      const mayAuthorize = order.status === 'pending' && !(await isOverdue(deps.db, order.id));
      if (!mayAuthorize) return currentOutcome(deps, request, order);
      return { kind: 'opened', order, isNew: false };
    }
  }
}

/** A repeat of a request whose payment the shopper has to confirm gets the state as it is now. */
async function continueWaiting(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const outcome = await settleAndStart(deps, order.id);
  switch (outcome.kind) {
    case 'not_waiting':
      return currentOutcome(deps, request, await requireOrder(deps.db, order.id));
    case 'waiting':
      await releaseKey(deps.db, request.claim);
      return waitsFor(order, outcome);
    case 'later':
      return stayPending(deps, request, outcome.retryAfterMs);
  }
}

const NOTHING_TO_AUTHORIZE = { kind: 'authorized', reference: null, captureBefore: null } as const;

/** Phase 2: the provider's result for the order's only authorization. */
async function authorizeOrLookUp(
  { payments }: PlaceOrderDeps,
  { body, signal }: PlaceOrderRequest,
  order: Order,
): Promise<PaymentResult> {
  const { id: orderId, currency } = order;
  const amountMinor = cardMinor(order);
  const { payment_method: paymentMethod } = body;
  if (amountMinor === 0) return NOTHING_TO_AUTHORIZE;
  if (paymentMethod === undefined) throw new Error(`order ${orderId} has no payment method`);
  const outcome = await payments.authorize({
    key: providerKey(orderId, 'authorize'),
    orderId,
    amount: { amountMinor, currency },
    paymentMethod,
    signal,
  });
  if (outcome.kind !== 'unknown') return outcome;
  // No response. One lookup by order id may find the result.
  const found = await payments.lookUp({ orderId, reference: null, signal });
  if (found.kind !== 'found') return { kind: 'unknown' };
  const { reference, state, action, declineCode, captureBefore } = found.payment;
  switch (state) {
    case 'authorized':
    case 'captured':
      return { kind: 'authorized', reference, captureBefore };
    case 'action_required':
      return action === null ? { kind: 'unknown' } : { kind: 'action_required', reference, action };
    case 'declined':
      return { kind: 'declined', code: declineCode ?? 'card_declined', reference };
    case 'voided':
      return { kind: 'voided' };
    case 'processing':
      return { kind: 'unknown' };
  }
}
