/**
 * What the payment provider said about an order, recorded with its response: placed, or declined. Raw SQL
 * writes all rows of a step in one statement, because the shopper waits for each round trip.
 */
import { providerKey } from '../../domain/ids.ts';
import { cardMinor, type Order } from '../../domain/order.ts';
import {
  keyReleased,
  responseStored,
  storeResponse,
  TIME_OF_CHANGE,
  type StoredResponse,
} from '../access/idempotency.ts';
import { releaseHold } from '../catalog/stock.ts';
import type { Database } from '../client/client.ts';
import { giveBackCredit } from '../credit/ledger.ts';
import { Prisma } from '../generated/client.ts';
import { authorizationWrites, settleAuthorization } from './authorizations.ts';
import { writeVoided, type Voided } from './voids.ts';
import { orderTransaction, transitionAlone, transitionOrder } from './transition.ts';

export type AnswerOutcome =
  | { readonly kind: 'answered'; readonly response: StoredResponse }
  /** Another attempt answered first; read its outcome. */
  | { readonly kind: 'superseded' };

interface Placed {
  /** Null: the card pays nothing. */
  readonly reference: string | null;
  readonly captureBefore?: string | null;
  readonly response: (placed: Order) => StoredResponse;
}

/**
 * Order `placed`, payment `authorized`, event, stored response: one statement. An order that has changed
 * since it was loaded, or whose authorization is being voided, is not placed.
 */
export async function recordPlaced(
  db: Database,
  order: Order,
  { reference, captureBefore = null, response }: Placed,
): Promise<AnswerOutcome> {
  const version = order.version + 1;
  const { status, body } = response({
    ...order,
    status: 'placed',
    version,
    updatedAt: TIME_OF_CHANGE,
  });
  const authorized = { state: 'succeeded', reference, captureBefore, code: null } as const;
  const change = await transitionAlone(
    db,
    {
      orderId: order.id,
      type: 'order.placed',
      to: 'placed',
      data: {
        total_minor: order.totalMinor,
        credit_minor: order.creditMinor,
        currency: order.currency,
      },
      unless: Prisma.sql`
        SELECT 1 FROM payment_operations
        WHERE key = ${providerKey(order.id, 'void')} AND state = 'requested'
        UNION ALL SELECT 1 FROM orders WHERE id = ${order.id} AND version <> ${order.version}`,
    },
    Prisma.sql`${authorizationWrites(order, authorized)} ${responseStored({ status, body })}`,
  );
  if (change.kind !== 'changed') return { kind: 'superseded' };
  const sent = { status, body: body.replaceAll(TIME_OF_CHANGE, change.at) };
  return { kind: 'answered', response: sent };
}

/**
 * Payment `requires_action`, event, a new deadline: one statement. The order stays `pending` with its units
 * held; the key is free for a retry, and nothing is stored under it. Null: the order has changed since it
 * was loaded, or is being voided.
 */
export async function recordActionRequired(
  db: Database,
  order: Order,
  { reference, minutes }: { readonly reference: string; readonly minutes: number },
): Promise<{ readonly expiresAt: string } | null> {
  const deadlineMs = minutes * 60_000;
  const change = await transitionAlone(
    db,
    {
      orderId: order.id,
      type: 'order.payment_action_required',
      deadlineMs,
      data: { amount_minor: cardMinor(order), currency: order.currency },
      unless: Prisma.sql`
        SELECT 1 FROM payment_operations
        WHERE key = ${providerKey(order.id, 'void')} AND state = 'requested'
        UNION ALL SELECT 1 FROM orders
        WHERE id = ${order.id} AND (version <> ${order.version} OR status <> 'pending')`,
    },
    Prisma.sql`, with_payment AS (
      UPDATE payments SET status = 'requires_action', provider_reference = ${reference},
        updated_at = now()
      FROM moved WHERE order_id = moved.id) ${keyReleased()}`,
  );
  if (change.kind !== 'changed') return null;
  return { expiresAt: new Date(Date.parse(change.at) + deadlineMs).toISOString() };
}

/**
 * Order `declined`, stock released, event, stored response: one transaction. `voided`: what was done with
 * the payment that the shopper did not confirm, so that it can no longer be confirmed.
 */
export async function recordDeclined(
  db: Database,
  order: Order,
  declined: {
    readonly code: string;
    readonly reference: string | null;
    readonly response: StoredResponse;
    readonly voided?: Voided;
  },
): Promise<AnswerOutcome> {
  return orderTransaction(db, order.id, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId: order.id,
      type: 'order.declined',
      to: 'declined',
      data: { decline_code: declined.code },
    });
    if (change.kind !== 'changed') return { kind: 'superseded' };
    if (declined.voided) await writeVoided(tx, order, { ...declined.voided, code: declined.code });
    else await settleAuthorization(tx, order, { ...declined, state: 'refused' });
    await storeResponse(tx, order.id, declined.response);
    await giveBackCredit(tx, order.id);
    await releaseHold(tx, order.id);
    return { kind: 'answered', response: declined.response };
  });
}
