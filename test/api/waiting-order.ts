/** Orders whose payment the shopper has to confirm, what the shopper does, and who may learn of it. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { z } from 'zod';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { expireOrder } from '../../services/expire-order.ts';
import { sendPaymentWebhook, webhookPayload, passWebhooks } from '../support/provider-messages.ts';
import type { Shop } from '../support/shop.ts';

/** The bank asks the shopper, and then authorizes. */
export const CHALLENGED = 'pm_card_threeDSecure2Required';

const actionSchema = z.strictObject({
  object: z.literal('payment_action'),
  code: z.literal('payment_action_required'),
  order_id: z.string().refine(isOrderId),
  client_secret: z.string(),
  next_action: z.looseObject({ type: z.literal('use_stripe_sdk') }),
  expires_at: z.iso.datetime(),
  total_minor: z.int(),
  currency: z.literal('EUR'),
});

/** An order that waits for its shopper. */
export async function waitingOrder(shop: Shop, changes: object = {}, key: string = randomUUID()) {
  const response = await shop.place({ payment_method: CHALLENGED, ...changes }, key);
  expect(response.status, await response.clone().text()).toBe(202);
  const action = actionSchema.parse(await response.json());
  const { order_id: id, client_secret: secret } = action;
  return { id, key, secret, reference: secret.replace(/_secret_.*/, ''), action, response };
}

export type Waiting = Awaited<ReturnType<typeof waitingOrder>>;

/** What the shopper does on the page of the bank. */
export async function answer(
  shop: Shop,
  { reference }: Pick<Waiting, 'reference'>,
  outcome: 'authenticated' | 'failed' = 'authenticated',
): Promise<number> {
  const url = `${shop.sandbox.url}/payments/intents/${reference}/challenge`;
  return (await fetch(url, { method: 'POST', body: JSON.stringify({ outcome }) })).status;
}

export const confirm = (shop: Shop, id: string): Promise<Response> =>
  shop.request('POST', `/v1/orders/${id}/confirm`);

let sent = 0;
/** The provider's webhook, whole, as it has the payment now. */
export async function webhook(
  shop: Shop,
  { id, reference, secret }: Waiting,
  type: string,
): Promise<string> {
  sent += 1;
  const object = {
    object: 'payment_intent',
    id: reference,
    client_secret: secret,
    metadata: { order_id: id },
  };
  const eventId = `evt_action_${sent}`;
  const response = await sendPaymentWebhook(shop, webhookPayload(eventId, type, object));
  expect(response.status).toBe(200);
  return eventId;
}

/** What became of the webhook. */
export async function outcomeOf(shop: Shop, eventId: string): Promise<string | null> {
  await passWebhooks(shop);
  return (await shop.db.inboxMessage.findFirstOrThrow({ where: { id: eventId } })).outcome;
}

/** Our records of the order. */
export async function recordsOf(shop: Shop, id: string) {
  const { status, payment, operations, events } = await shop.db.order.findUniqueOrThrow({
    where: { id },
    include: { payment: true, operations: true, events: { orderBy: { seq: 'asc' } } },
  });
  return {
    order: status,
    payment: payment?.status,
    operations: operations.map(({ kind, state }) => `${kind} ${state}`).toSorted(),
    events: events.map(({ type }) => type),
  };
}

/** What the sweep does with the order. */
export async function sweep(
  shop: Shop,
  id: OrderId,
  payments: PaymentGateway = shop.gateways.payments,
) {
  const order = await findOrder(shop.db, id);
  if (order === null) throw new Error(`no order ${id}`);
  return expireOrder({ ...shop.services, payments }, order);
}

export const PLACED = {
  order: 'placed',
  payment: 'authorized',
  operations: ['authorize requested', 'authorize succeeded'],
  events: ['order.created', 'order.payment_action_required', 'order.placed'],
};
/** Nothing was ever held; the payment was ended, so that its secret is of no use. */
export const ENDED = {
  payment: 'declined',
  operations: ['authorize refused', 'authorize requested', 'void refused', 'void requested'],
};
export const EXPIRED = {
  ...ENDED,
  order: 'expired',
  events: ['order.created', 'order.payment_action_required', 'order.expired'],
};

/** Every row of every table, with bytes as text. */
export async function everyRow(shop: Shop): Promise<readonly string[]> {
  const tables = await shop.db.$queryRaw<{ name: string }[]>`
    SELECT relname AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`;
  expect(tables.length).toBeGreaterThan(30);
  const stored: string[] = [];
  for (const { name } of tables) {
    const rows = await shop.db.$queryRawUnsafe<{ row: string }[]>(
      `SELECT t::text || encode(COALESCE(to_jsonb(t) ->> 'body', '')::bytea, 'escape') AS row
        FROM "${name}" t`,
    );
    stored.push(...rows.map(({ row }) => row));
  }
  return stored;
}
