/** The last phase of placing an order: what the provider said is recorded with its response. */
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { PaymentAction } from '../../gateways/payments.ts';
import type { Unavailable } from '../../gateways/resilience/outcome.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  readKeyState,
  releaseKey,
  type KeyState,
  type StoredResponse,
} from '../../prisma/access/idempotency.ts';
import { recordWithdrawn } from '../../prisma/orders/expire-order.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import {
  type AnswerOutcome,
  recordActionRequired,
  recordDeclined,
  recordPlaced,
} from '../../prisma/orders/settle-order.ts';
import { recordVoidRequested } from '../../prisma/orders/voids.ts';
import { retryVoidAndExplain } from '../../services/expire-order.ts';
import type { SettleAndStartDeps } from '../../services/settle-action.ts';
import type { PlaceOrderRequest } from './order-draft.ts';
import { inFlight } from '../http/idempotent.ts';
import type { Problem } from '../http/problems.ts';
import type { PaymentActionBody } from '../schemas/payments.ts';
import {
  orderExpired,
  orderExpiring,
  paymentActionBody,
  paymentNotAttempted,
  paymentRefusedResponse,
  paymentUnavailable,
  voidPending,
} from './responses.ts';

export interface PlaceOrderDeps extends SettleAndStartDeps {
  /** How long the shopper can confirm a payment. */
  readonly paymentActionMinutes: number;
}

export type PlaceOrderOutcome =
  /** Answered now or earlier. The stored bytes are sent unchanged. */
  | {
      readonly kind: 'answered';
      readonly orderId: OrderId | null;
      readonly response: StoredResponse;
      /** The order whose workflow has to be started; null when this attempt placed none. */
      readonly placed: Order | null;
      readonly replayed: boolean;
    }
  /** The shopper has to confirm the payment; the order waits. Nothing is stored under the key. */
  | {
      readonly kind: 'action_required';
      readonly orderId: OrderId;
      readonly body: PaymentActionBody;
    }
  /** Not answered. A retry starts again or resumes. */
  | { readonly kind: 'refused'; readonly problem: Problem };

/** The provider's result for the order's only authorization. */
export type PaymentResult =
  | {
      readonly kind: 'authorized';
      /** Null: the card pays nothing. */
      readonly reference: string | null;
      readonly captureBefore: string | null;
    }
  | {
      readonly kind: 'action_required';
      readonly reference: string;
      readonly action: PaymentAction;
    }
  | { readonly kind: 'declined'; readonly code: string; readonly reference: string | null }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'voided' }
  /** This attempt did nothing at the provider. */
  | Unavailable
  /** The money may or may not be held. */
  | { readonly kind: 'unknown' };

/** Records the result with its response, unless another attempt was faster. */
export async function settle(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  opened: { readonly order: Order; readonly isNew: boolean; readonly payment: PaymentResult },
): Promise<PlaceOrderOutcome> {
  const { order, payment } = opened;
  switch (payment.kind) {
    case 'authorized': {
      const { reference, captureBefore } = payment;
      const authorized = { reference, captureBefore, response: deps.responses.placed };
      const recorded = await recordPlaced(deps.db, order, authorized);
      if (recorded.kind === 'answered') return answered(order, recorded, order);
      const current = await requireOrder(deps.db, order.id);
      await voidIfExpired(deps, current, reference);
      return currentOutcome(deps, request, current);
    }
    case 'action_required':
      return wait(deps, request, { order, ...payment });
    case 'declined': {
      const response = deps.responses.declined(payment.code, request.requestId);
      return decline(deps, request, { order, ...payment, response });
    }
    case 'refused': {
      const response = paymentRefusedResponse(payment.code, request.requestId);
      return decline(deps, request, { order, ...payment, reference: null, response });
    }
    case 'voided':
      return currentOutcome(deps, request, await requireOrder(deps.db, order.id));
    case 'unavailable':
      if (!opened.isNew) return stayPending(deps, request, payment.retryAfterMs);
      // Nothing was done, so nothing is held for it, and the key is free again.
      await recordWithdrawn(deps.db, order, request.claim);
      return refused(paymentNotAttempted(payment));
    case 'unknown':
      return stayPending(deps, request);
  }
}

/** Records that the order waits for the shopper, unless another attempt was faster. */
async function wait(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  required: { readonly order: Order; readonly reference: string; readonly action: PaymentAction },
): Promise<PlaceOrderOutcome> {
  const { order, reference, action } = required;
  const minutes = deps.paymentActionMinutes;
  const recorded = await recordActionRequired(deps.db, order, { reference, minutes });
  if (recorded !== null) return waitsFor(order, { action, ...recorded });
  const current = await requireOrder(deps.db, order.id);
  await voidIfExpired(deps, current, reference);
  return currentOutcome(deps, request, current);
}

export function waitsFor(
  order: Order,
  wait: { readonly action: PaymentAction; readonly expiresAt: string },
): PlaceOrderOutcome {
  return { kind: 'action_required', orderId: order.id, body: paymentActionBody(order, wait) };
}

/** It expired during the authorization, so what was just authorized has to be voided. */
async function voidIfExpired(
  { db }: PlaceOrderDeps,
  order: Order,
  reference: string | null,
): Promise<void> {
  if (order.status !== 'expired' || reference === null) return;
  await recordVoidRequested(db, order, { reference, declineCode: null });
}

/** The order keeps its units, for a retry or the sweep. */
export async function stayPending(
  deps: PlaceOrderDeps,
  { claim }: PlaceOrderRequest,
  retryAfterMs?: number,
): Promise<PlaceOrderOutcome> {
  await releaseKey(deps.db, claim);
  return refused(paymentUnavailable(retryAfterMs));
}

async function decline(
  deps: PlaceOrderDeps,
  request: PlaceOrderRequest,
  declined: {
    readonly order: Order;
    readonly code: string;
    readonly reference: string | null;
    readonly response: StoredResponse;
  },
): Promise<PlaceOrderOutcome> {
  const { order } = declined;
  const recorded = await recordDeclined(deps.db, order, declined);
  if (recorded.kind === 'answered') return answered(order, recorded, null);
  return currentOutcome(deps, request, await requireOrder(deps.db, order.id));
}

/** The stored response, or why the order has none. */
export async function currentOutcome(
  deps: PlaceOrderDeps,
  { claim }: PlaceOrderRequest,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const key = await readKeyState(deps.db, claim);
  if (key.kind === 'completed') return replayed(key);
  // Releases the lease, so that the next retry gets its response immediately.
  await releaseKey(deps.db, claim);
  switch (await retryVoidAndExplain(deps, order)) {
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

function answered(
  { id }: Order,
  { response }: Extract<AnswerOutcome, { kind: 'answered' }>,
  placed: Order | null,
): PlaceOrderOutcome {
  return { kind: 'answered', orderId: id, response, placed, replayed: false };
}

type CompletedKey = Extract<KeyState, { kind: 'completed' }>;
export function replayed({ orderId, response }: Omit<CompletedKey, 'kind'>) {
  return { kind: 'answered', orderId, response, placed: null, replayed: true } as const;
}

export async function requireOrder(db: Database, id: OrderId): Promise<Order> {
  const order = await findOrder(db, id);
  if (order === null) throw new Error(`order ${id} of an idempotency key does not exist`);
  return order;
}

export function refused(problem: Problem): PlaceOrderOutcome {
  return { kind: 'refused', problem };
}
