/**
 * Places one order while the shopper waits, in three phases: open or resume the order, authorize or
 * look up the payment, settle. The process may die between any two statements: each phase is
 * committed before the next begins, and a retry with the same Idempotency-Key continues where the
 * last attempt stopped, with the same provider key. A request whose client has gone starts nothing
 * new, but finishes what it has started.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Product } from '../../domain/product.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  readKeyState,
  releaseKey,
  type KeyState,
  type StoredResponse,
} from '../../prisma/access/idempotency.ts';
import { recordVoidRequested } from '../../prisma/orders/expire-order.ts';
import { findOrder, isOverdue } from '../../prisma/orders/orders.ts';
import {
  openOrder,
  recordDeclined,
  recordPlaced,
  type SettleOutcome,
} from '../../prisma/orders/place-order.ts';
import { findProducts } from '../../prisma/catalog/products.ts';
import { explainUnsettled } from '../../services/expire-order.ts';
import { draftOrder, type PlaceOrderRequest } from './order-draft.ts';
import { inFlight, keyReused } from '../http/idempotent.ts';
import {
  declinedResponse,
  orderExpired,
  orderExpiring,
  outOfStock,
  paymentNotAttempted,
  paymentUnavailable,
  placedResponse,
  requestTimedOut,
  voidPending,
} from './responses.ts';
import type { Problem } from '../http/problems.ts';

export interface PlaceOrderDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
}

export type PlaceOrderOutcome =
  /** Settled now or earlier. The stored bytes are sent unchanged. */
  | {
      readonly kind: 'settled';
      readonly orderId: OrderId | null;
      readonly response: StoredResponse;
      /** The order whose workflow has to be started; null when this attempt placed none. */
      readonly placed: Order | null;
      readonly replayed: boolean;
    }
  /** Nothing was settled. A retry starts again or resumes. */
  | { readonly kind: 'refused'; readonly problem: Problem };

/** Places the order, or continues what an earlier attempt with the same key began. */
export async function placeOrder(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
): Promise<PlaceOrderOutcome> {
  const opened = await openOrResume(deps, request);
  if (opened.kind !== 'opened') return opened;
  const payment = await authorizeOrLookUp(deps, request, opened.order);
  return settle(deps, request, { order: opened.order, payment });
}

/** Phase 1: an order that is pending with its units held, or the outcome if there is nothing to pay. */
type Opened = { readonly kind: 'opened'; readonly order: Order } | PlaceOrderOutcome;

async function openOrResume(deps: PlaceOrderDeps, request: PlaceOrderRequest): Promise<Opened> {
  const skus = [...new Set(request.body.lines.map((line) => line.sku))];
  const [key, products] = await Promise.all([
    readKeyState(deps.db, request.claim),
    findProducts(deps.db, skus),
  ]);
  return key.kind === 'free' ? open(deps, request, products) : resume(deps, request, key);
}

async function open(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  products: readonly Product[],
): Promise<Opened> {
  const drafted = draftOrder(request, products, deps.payments);
  if (drafted.kind === 'refused') return drafted;
  if (request.signal.aborted) return refused(requestTimedOut());
  // No units are held while the circuit breaker would refuse the authorization anyway.
  const unavailable = deps.payments.authorizeUnavailable();
  if (unavailable !== null) return refused(paymentNotAttempted(unavailable));
  const opened = await openOrder(deps.db, request.claim, drafted.draft);
  switch (opened.kind) {
    case 'opened':
      return opened;
    case 'out_of_stock':
      return refused(outOfStock(opened.shortages));
    case 'key_taken':
      return resume(deps, request, await readKeyState(deps.db, request.claim));
  }
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
      const mayAuthorize = order.status === 'pending' && !(await isOverdue(deps.db, order.id));
      return mayAuthorize ? { kind: 'opened', order } : currentOutcome(deps, request, order);
    }
  }
}

/** Phase 2: the provider's result for the order's only authorization. */
type PaymentResult =
  | {
      readonly kind: 'authorized';
      readonly reference: string;
      readonly captureBefore: string | null;
    }
  | { readonly kind: 'declined'; readonly code: string; readonly reference: string | null }
  | { readonly kind: 'voided' }
  /** The money may or may not be held. */
  | { readonly kind: 'unknown'; readonly retryAfterMs?: number };

async function authorizeOrLookUp(
  { payments }: PlaceOrderDeps,
  { body, signal }: PlaceOrderRequest,
  { id: orderId, totalMinor: amountMinor, currency }: Order,
): Promise<PaymentResult> {
  const outcome = await payments.authorize({
    key: providerKey(orderId, 'authorize'),
    orderId,
    amount: { amountMinor, currency },
    paymentMethod: body.payment_method,
    signal,
  });
  if (outcome.kind === 'unavailable') return { ...outcome, kind: 'unknown' };
  if (outcome.kind !== 'unknown') return outcome;
  // No response. One lookup by order id may find the result.
  const found = await payments.lookUp({ orderId, reference: null, signal });
  if (found.kind !== 'found') return { kind: 'unknown' };
  const { reference, state, declineCode, captureBefore } = found.payment;
  switch (state) {
    case 'authorized':
    case 'captured':
      return { kind: 'authorized', reference, captureBefore };
    case 'declined':
      return { kind: 'declined', code: declineCode ?? 'card_declined', reference };
    case 'voided':
      return { kind: 'voided' };
    case 'processing':
      return { kind: 'unknown' };
  }
}

/** Phase 3: records the result with its response, unless another attempt settled the order first. */
async function settle(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  { order, payment }: { readonly order: Order; readonly payment: PaymentResult },
): Promise<PlaceOrderOutcome> {
  switch (payment.kind) {
    case 'authorized': {
      const { reference, captureBefore } = payment;
      const held = { reference, captureBefore, response: placedResponse };
      const recorded = await recordPlaced(deps.db, order, held);
      if (recorded.kind === 'settled') return settled(order, recorded, order);
      const current = await requireOrder(deps.db, order.id);
      // It expired meanwhile, so the money that was just authorized has to be voided.
      if (current.status === 'expired') await recordVoidRequested(deps.db, current, reference);
      return currentOutcome(deps, request, current);
    }
    case 'declined': {
      const { code, reference } = payment;
      const response = declinedResponse(code, request.requestId);
      const recorded = await recordDeclined(deps.db, order, { code, reference, response });
      if (recorded.kind === 'settled') return settled(order, recorded, null);
      return currentOutcome(deps, request, await requireOrder(deps.db, order.id));
    }
    case 'voided':
      return currentOutcome(deps, request, await requireOrder(deps.db, order.id));
    case 'unknown':
      // The order stays pending, for a retry or the sweep.
      await releaseKey(deps.db, request.claim);
      return refused(paymentUnavailable(payment.retryAfterMs));
  }
}

/** The stored response of the attempt that settled the order, or why it is not settled. */
async function currentOutcome(
  deps: PlaceOrderDeps,
  { claim }: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const key = await readKeyState(deps.db, claim);
  if (key.kind === 'completed') return replayed(key);
  // Releases the lease, so that the next retry gets its response immediately.
  await releaseKey(deps.db, claim);
  switch (await explainUnsettled(deps, order)) {
    case 'in_flight':
      return refused(inFlight());
    case 'expiring':
      return refused(orderExpiring());
    case 'expired':
      return refused(orderExpired(order.id));
    case 'void_pending':
      return refused(voidPending());
  }
}

function settled(
  { id }: Order,
  { response }: Extract<SettleOutcome, { kind: 'settled' }>,
  placed: Order | null,
): PlaceOrderOutcome {
  return { kind: 'settled', orderId: id, response, placed, replayed: false };
}

type CompletedKey = Extract<KeyState, { kind: 'completed' }>;
function replayed({ orderId, response }: CompletedKey): PlaceOrderOutcome {
  return { kind: 'settled', orderId, response, placed: null, replayed: true };
}

async function requireOrder(db: Database, id: OrderId): Promise<Order> {
  const order = await findOrder(db, id);
  if (order === null) throw new Error(`order ${id} of an idempotency key does not exist`);
  return order;
}

function refused(problem: Problem): PlaceOrderOutcome {
  return { kind: 'refused', problem };
}
