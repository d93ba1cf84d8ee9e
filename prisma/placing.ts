/**
 * The synchronous half of an order: opened with its hold in one transaction, then settled as placed
 * or declined in another. No transaction is open while the payment provider is asked.
 */
import { providerKey, type OrderId } from '../domain/ids.ts';
import type { Customer, Order, OrderLine, ShippingAddress } from '../domain/order.ts';
import type { Shortage } from '../domain/product.ts';
import { changeOrder } from './change.ts';
import type { Database, Transaction } from './client.ts';
import { claimKey, storeAnswer, type KeyClaim, type StoredAnswer } from './idempotency.ts';
import { newId } from './new-id.ts';
import { findShortages, holdStock, releaseHold, StockShortError } from './stock.ts';

export interface OrderDraft {
  readonly customer: Omit<Customer, 'id'>;
  readonly shippingAddress: ShippingAddress;
  readonly lines: readonly OrderLine[];
  readonly currency: string;
  readonly totalMinor: number;
  readonly paymentMethod: string;
  readonly correlationId: string;
  readonly traceparent: string | null;
}

export type OpenOutcome =
  | { readonly kind: 'opened'; readonly order: Order }
  | { readonly kind: 'out_of_stock'; readonly shortages: readonly Shortage[] }
  | { readonly kind: 'key_taken' };

/** After this no try may place the order any more: its hold ends and its authorization is voided. */
export const PENDING_DEADLINE_MS = 120_000;

class KeyTakenError extends Error {}

/** Claims the key, writes the pending order with its payment intent, and holds the stock: all or nothing. */
export async function openOrder(
  db: Database,
  claim: KeyClaim,
  draft: OrderDraft,
): Promise<OpenOutcome> {
  const orderId = newId('order');
  try {
    const order = await db.$transaction(async (tx) => {
      if (!(await claimKey(tx, { ...claim, orderId }))) throw new KeyTakenError();
      const opened = await writePending(tx, orderId, draft);
      await holdStock(tx, draft.lines);
      return opened;
    });
    return { kind: 'opened', order };
  } catch (error) {
    if (error instanceof KeyTakenError) return { kind: 'key_taken' };
    if (error instanceof StockShortError) {
      return { kind: 'out_of_stock', shortages: await findShortages(db, draft.lines) };
    }
    throw error;
  }
}

export type SettleOutcome =
  | { readonly kind: 'settled'; readonly answer: StoredAnswer }
  /** Somebody else settled the order first; read what stands. */
  | { readonly kind: 'superseded' };

/** Order `placed`, payment `authorized`, event, stored answer: one transaction. */
export async function recordPlaced(
  db: Database,
  order: Order,
  settled: { readonly reference: string; readonly answer: (placed: Order) => StoredAnswer },
): Promise<SettleOutcome> {
  return db.$transaction(async (tx) => {
    const change = await changeOrder(tx, {
      orderId: order.id,
      type: 'order.placed',
      to: 'placed',
      data: { total_minor: order.totalMinor, currency: order.currency },
    });
    if (change.kind !== 'changed') return { kind: 'superseded' };
    const operation = { orderId: order.id, reference: settled.reference } as const;
    await settleAuthorization(tx, order, { ...operation, state: 'succeeded', code: null });
    const answer = settled.answer({
      ...order,
      status: 'placed',
      version: change.version,
      updatedAt: change.at,
    });
    await storeAnswer(tx, order.id, answer);
    return { kind: 'settled', answer };
  });
}

/** Order `declined`, hold released, event, stored answer: one transaction. */
export async function recordDeclined(
  db: Database,
  order: Order,
  settled: {
    readonly code: string;
    readonly reference: string | null;
    readonly answer: StoredAnswer;
  },
): Promise<SettleOutcome> {
  return db.$transaction(async (tx) => {
    const change = await changeOrder(tx, {
      orderId: order.id,
      type: 'order.declined',
      to: 'declined',
      data: { decline_code: settled.code },
    });
    if (change.kind !== 'changed') return { kind: 'superseded' };
    await settleAuthorization(tx, order, { ...settled, state: 'refused' });
    await storeAnswer(tx, order.id, settled.answer);
    await releaseHold(tx, order.id);
    return { kind: 'settled', answer: settled.answer };
  });
}

async function writePending(tx: Transaction, orderId: OrderId, draft: OrderDraft): Promise<Order> {
  const customerId = await findOrAddCustomer(tx, draft.customer);
  const row = await tx.order.create({
    data: {
      id: orderId,
      status: 'pending',
      currency: draft.currency,
      totalMinor: draft.totalMinor,
      customerId,
      customerEmail: draft.customer.email,
      customerName: draft.customer.name,
      customerPhone: draft.customer.phone,
      shippingAddress: { ...draft.shippingAddress },
      correlationId: draft.correlationId,
      traceparent: draft.traceparent,
      deadlineAt: new Date(Date.now() + PENDING_DEADLINE_MS),
      lines: { createMany: { data: draft.lines.map((line, position) => ({ ...line, position })) } },
      reservations: {
        createMany: {
          data: draft.lines.map(({ sku, quantity }) => ({ sku, quantity, status: 'held' })),
        },
      },
      payment: { create: paymentOf(draft) },
      operations: { create: authorizationOf(orderId, draft, 'requested') },
    },
    select: { createdAt: true },
  });
  const change = await changeOrder(tx, { orderId, type: 'order.created' });
  if (change.kind !== 'changed') throw new Error(`order ${orderId} was just written`);
  return {
    id: orderId,
    status: 'pending',
    version: change.version,
    currency: draft.currency,
    totalMinor: draft.totalMinor,
    lines: draft.lines,
    customer: { id: customerId, ...draft.customer },
    shippingAddress: draft.shippingAddress,
    correlationId: draft.correlationId,
    cancelReason: null,
    attentionStep: null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: change.at,
  };
}

async function findOrAddCustomer(
  tx: Transaction,
  customer: Omit<Customer, 'id'>,
): Promise<Customer['id']> {
  const rows = await tx.$queryRaw<{ id: Customer['id'] }[]>`
    WITH known AS (SELECT id FROM customers WHERE email = ${customer.email}),
    added AS (
      INSERT INTO customers (id, email, name, phone)
      SELECT ${newId('customer')}, ${customer.email}, ${customer.name}, ${customer.phone}
      WHERE NOT EXISTS (SELECT 1 FROM known)
      ON CONFLICT (email) DO UPDATE SET email = EXCLUDED.email
      RETURNING id)
    SELECT id FROM known UNION ALL SELECT id FROM added`;
  const found = rows[0];
  if (!found) throw new Error('a customer was neither found nor added');
  return found.id;
}

function paymentOf(draft: OrderDraft) {
  return {
    id: newId('payment'),
    status: 'authorizing',
    amountMinor: draft.totalMinor,
    currency: draft.currency,
    paymentMethod: draft.paymentMethod,
  };
}

/** One row of the books about the order's authorization. */
export function authorizationOf(
  orderId: OrderId,
  money: { readonly totalMinor: number; readonly currency: string },
  state: 'requested' | 'succeeded' | 'refused',
) {
  return {
    key: providerKey(orderId, 'authorize'),
    kind: 'authorize',
    state,
    amountMinor: money.totalMinor,
    currency: money.currency,
  };
}

/** What became of the authorization: on the payment, and in the books. */
export async function settleAuthorization(
  tx: Transaction,
  order: Order,
  settled: {
    readonly state: 'succeeded' | 'refused';
    readonly reference: string | null;
    readonly code: string | null;
  },
): Promise<void> {
  await tx.payment.update({
    where: { orderId: order.id },
    data: {
      status: settled.state === 'succeeded' ? 'authorized' : 'declined',
      providerReference: settled.reference,
      declineCode: settled.code,
      updatedAt: new Date(),
    },
  });
  await tx.paymentOperation.create({
    data: {
      ...authorizationOf(order.id, order, settled.state),
      orderId: order.id,
      providerReference: settled.reference,
      detail: settled.code,
    },
  });
}
