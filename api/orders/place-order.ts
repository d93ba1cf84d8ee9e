/**
 * The path of one order while the shopper waits: hold stock, authorize, record. Between any two
 * statements the process may die: every step is written down before the next one, and a retry under
 * the same Idempotency-Key goes on where the last try stopped, with the same provider key. A request
 * nobody waits for any more begins nothing new; what is under way is brought to its end.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Product } from '../../domain/product.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  inspectKey,
  releaseKey,
  type KeyClaim,
  type KeyState,
  type StoredAnswer,
} from '../../prisma/access/idempotency.ts';
import { recordLettingGo } from '../../prisma/orders/expire-order.ts';
import { findOrder, isOverdue } from '../../prisma/orders/orders.ts';
import {
  openOrder,
  recordDeclined,
  recordPlaced,
  type SettleOutcome,
} from '../../prisma/orders/place-order.ts';
import { findProducts } from '../../prisma/catalog/products.ts';
import { whyUnsettled } from '../../services/expire-order.ts';
import { draftOrder, type PlaceOrderRequest } from './order-draft.ts';
import {
  declinedAnswer,
  givenUp,
  inFlight,
  keyReused,
  outOfStock,
  paymentRefused,
  paymentUnavailable,
  placedAnswer,
} from './responses.ts';
import type { Problem } from '../http/problems.ts';

export interface PlaceOrderDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
}

export type PlaceOrderOutcome =
  /** Settled for good, now or before: the bytes are stored and sent as they are. */
  | {
      readonly kind: 'settled';
      readonly orderId: OrderId | null;
      readonly answer: StoredAnswer;
      /** The placed order whose workflow is to be started; null when this try placed none. */
      readonly placed: Order | null;
      readonly replayed: boolean;
    }
  /** Nothing was settled; a retry evaluates again or resumes. */
  | { readonly kind: 'refused'; readonly problem: Problem };

/** Places the order, or continues what an earlier try under the same key began. */
export async function placeOrder(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
): Promise<PlaceOrderOutcome> {
  const [key, products] = await Promise.all([
    inspectKey(deps.db, request.claim),
    findProducts(deps.db, [...new Set(request.body.lines.map((line) => line.sku))]),
  ]);
  if (key.kind !== 'free') return goOn(deps, request, key);
  return placeNew(deps, request, products);
}

async function placeNew(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  products: readonly Product[],
): Promise<PlaceOrderOutcome> {
  const drafted = draftOrder(request, products);
  if (drafted.kind === 'refused') return drafted;
  if (request.signal.aborted) return refused(givenUp());
  // No units are held for a payment that would not even be asked for.
  const refusal = deps.payments.authorizeRefusal();
  if (refusal !== null) return refused(paymentRefused(refusal));
  const opened = await openOrder(deps.db, request.claim, drafted.draft);
  switch (opened.kind) {
    case 'out_of_stock':
      return refused(outOfStock(opened.shortages));
    case 'key_taken':
      return goOn(deps, request, await inspectKey(deps.db, request.claim));
    case 'opened':
      return authorize(deps, request, opened.order);
  }
}

/** Answers for a key that was seen before. */
async function goOn(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  key: KeyState,
): Promise<PlaceOrderOutcome> {
  switch (key.kind) {
    case 'other_request':
      return refused(keyReused());
    // `free`: the claim we collided with was rolled back. The next try finds out.
    case 'free':
    case 'in_flight':
      return refused(inFlight());
    case 'answered':
      return {
        kind: 'settled',
        orderId: key.orderId,
        answer: key.answer,
        placed: null,
        replayed: true,
      };
    case 'abandoned':
      return resume(deps, request, await orderOf(deps.db, key.orderId));
  }
}

/** The order of a try that stopped half-way. The lease on its key is ours. */
async function resume(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const mayTry = order.status === 'pending' && !(await isOverdue(deps.db, order.id));
  return mayTry ? authorize(deps, request, order) : standing(deps, request, order);
}

async function authorize(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const outcome = await deps.payments.authorize({
    key: providerKey(order.id, 'authorize'),
    orderId: order.id,
    amount: { amountMinor: order.totalMinor, currency: order.currency },
    paymentMethod: request.body.payment_method,
    signal: request.signal,
  });
  switch (outcome.kind) {
    case 'authorized':
      return place(deps, request, { order, ...outcome });
    case 'declined':
      return decline(deps, request, { order, ...outcome });
    case 'unknown':
      return findOut(deps, request, order);
    case 'unavailable':
      return comeBack(deps, request.claim, outcome.retryAfterMs);
  }
}

/** No answer came: one look-up by the order's id says what really happened, or nobody knows yet. */
async function findOut(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const { signal } = request;
  const found = await deps.payments.lookUp({ orderId: order.id, reference: null, signal });
  if (found.kind !== 'found') return comeBack(deps, request.claim);
  const { reference, state, declineCode, captureBefore } = found.payment;
  switch (state) {
    case 'authorized':
    case 'captured':
      return place(deps, request, { order, reference, captureBefore });
    case 'declined':
      return decline(deps, request, { order, reference, code: declineCode ?? 'card_declined' });
    case 'voided':
      return standing(deps, request, await orderOf(deps.db, order.id));
    case 'processing':
      return comeBack(deps, request.claim);
  }
}

async function place(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  authorized: {
    readonly order: Order;
    readonly reference: string;
    readonly captureBefore: string | null;
  },
): Promise<PlaceOrderOutcome> {
  const { order, reference, captureBefore } = authorized;
  const held = { reference, captureBefore, answer: placedAnswer };
  const settled = await recordPlaced(deps.db, order, held);
  if (settled.kind === 'settled') return settledNow(order, settled, order);
  const stands = await orderOf(deps.db, order.id);
  if (stands.status === 'expired') await recordLettingGo(deps.db, stands, reference);
  return standing(deps, request, stands);
}

async function decline(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  declined: { readonly order: Order; readonly code: string; readonly reference: string | null },
): Promise<PlaceOrderOutcome> {
  const { order, code, reference } = declined;
  const answer = declinedAnswer(code, request.requestId);
  const settled = await recordDeclined(deps.db, order, { code, reference, answer });
  if (settled.kind === 'superseded') {
    return standing(deps, request, await orderOf(deps.db, order.id));
  }
  return settledNow(order, settled, null);
}

/** Somebody else settled the order: what they stored is the answer. */
async function standing(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const key = await inspectKey(deps.db, request.claim);
  if (key.kind === 'answered') return goOn(deps, request, key);
  // The lease goes back, so that the next retry too is told at once.
  await releaseKey(deps.db, request.claim);
  return refused(await whyUnsettled(deps, order));
}

/** Nobody knows whether the money is held. The order stays pending for a retry or the sweeper. */
async function comeBack(
  deps: PlaceOrderDeps,
  claim: KeyClaim,
  retryAfterMs?: number,
): Promise<PlaceOrderOutcome> {
  await releaseKey(deps.db, claim);
  return refused(paymentUnavailable(retryAfterMs));
}

function settledNow(
  { id }: Order,
  { answer }: Extract<SettleOutcome, { kind: 'settled' }>,
  placed: Order | null,
): PlaceOrderOutcome {
  return { kind: 'settled', orderId: id, answer, placed, replayed: false };
}

async function orderOf(db: Database, id: OrderId): Promise<Order> {
  const order = await findOrder(db, id);
  if (order === null) throw new Error(`order ${id} is named by a key, but does not exist`);
  return order;
}

function refused(problem: Problem): PlaceOrderOutcome {
  return { kind: 'refused', problem };
}
