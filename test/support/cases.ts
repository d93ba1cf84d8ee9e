/** What banks and reviewers do at the payment provider, and its webhooks about that. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import { sendPaymentWebhook, webhookPayload } from './provider-messages.ts';
import type { Shop } from './shop.ts';

const opened = z.looseObject({ id: z.string(), object: z.string() });
export type Opened = z.output<typeof opened>;

/** The payment's reference at the provider. */
export async function referenceOf(shop: Pick<Shop, 'db'>, orderId: OrderId): Promise<string> {
  const reference = (await findPayment(shop.db, orderId))?.providerReference;
  if (!reference) throw new Error('the order has no payment at the provider');
  return reference;
}

/** Opens a case of the order's payment. Nothing is sent about it. */
export async function openCase(
  shop: Pick<Shop, 'db' | 'sandbox'>,
  orderId: OrderId,
  [kind, about = {}]: readonly ['disputes' | 'warnings' | 'reviews', object?],
): Promise<Opened> {
  const named = { payment_intent: await referenceOf(shop, orderId), ...about };
  return atProvider(shop, `/payments/${kind}`, named);
}

/** A control call of the sandbox. */
export async function atProvider(
  { sandbox }: Pick<Shop, 'sandbox'>,
  path: string,
  body: object = {},
): Promise<Opened> {
  const response = await fetch(`${sandbox.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return opened.parse(await response.json());
}

/** Sends a webhook about the object, and gives its id. */
export async function sendCaseWebhook(
  shop: Shop,
  type: string,
  { object, id }: Pick<Opened, 'object' | 'id'>,
): Promise<string> {
  const eventId = `evt_${randomUUID()}`;
  const response = await sendPaymentWebhook(shop, webhookPayload(eventId, type, { object, id }));
  expect(response.status).toBe(200);
  return eventId;
}
