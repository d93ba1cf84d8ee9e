/** What the providers send to a shop, signed as they sign it. */
import Stripe from 'stripe';
import { Webhook } from 'standardwebhooks';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { Authentication } from '../../local/sandbox/payments/authorize.ts';
import { processPaymentWebhooks } from '../../services/payment-webhooks/process.ts';
import { CALLBACK_SECRET, WEBHOOK_SECRET, type Shop } from './shop.ts';

/** The body of the warehouse's callback that the parcel has left. */
export function shippedBody(orderId: OrderId): string {
  const data = {
    correlation_id: shipmentCorrelationId(orderId),
    order_id: orderId,
    carrier: 'Test Parcel',
    tracking_number: 'TP-1',
  };
  return JSON.stringify({ type: 'shipment.shipped', data });
}

/** A callback of the warehouse under a message id, sent `at` this time by its clock. */
export function sendCallback(
  shop: Shop,
  { id, body }: { readonly id: string; readonly body: string },
  { at = new Date(), secret = CALLBACK_SECRET } = {},
): Promise<Response> {
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': seconds(at),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
  return shop.request('POST', '/callbacks/warehouse', { role: null, body, headers });
}

/** The payload of a webhook of the payment provider. */
export function webhookPayload(id: string, type: string, object: object): string {
  return JSON.stringify({ id, object: 'event', type, data: { object } });
}

/** A webhook of the payment provider, sent `at` this time by its clock. */
export function sendPaymentWebhook(
  shop: Shop,
  payload: string,
  { at = new Date(), secret = WEBHOOK_SECRET } = {},
): Promise<Response> {
  const timestamp = Number(seconds(at));
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  const headers = { 'stripe-signature': signature };
  return shop.request('POST', '/callbacks/payments', { role: null, body: payload, headers });
}

type Limits = Parameters<typeof processPaymentWebhooks>[1];

/**
 * One pass over the provider's webhooks. Tries of one webhook are spaced by its age; those of a test are
 * all due, however busy the machine is. Returns how many were closed for good.
 */
export async function passWebhooks(
  { db, services }: Pick<Shop, 'db' | 'services'>,
  limits: Partial<Limits> = {},
): Promise<number> {
  await db.inboxMessage.updateMany({ data: { triedAt: null } });
  return processPaymentWebhooks(services, { olderThanMs: 0, limit: 100, ...limits });
}

/** What the shopper does at the bank's page. Rejects with the sandbox's words when it is not possible. */
export async function settleChallenge(
  { sandbox, timeoutMs = 30_000 }: Pick<Shop, 'sandbox'> & { readonly timeoutMs?: number },
  intentId: string,
  outcome: Authentication,
): Promise<void> {
  const response = await fetch(`${sandbox.url}/payments/intents/${intentId}/challenge`, {
    method: 'POST',
    body: JSON.stringify({ outcome }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(await response.text());
}

function seconds(at: Date): string {
  return String(Math.floor(at.getTime() / 1_000));
}
