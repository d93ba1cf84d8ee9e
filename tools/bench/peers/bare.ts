/**
 * No durability, and no API around the handler: a bare Hono handler with the two commits, the callbacks
 * of the providers, and the steps in the process that answered. A crash loses them.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import { claimOf } from '../../../api/http/idempotency-key.ts';
import { placeOrder } from '../../../api/orders/place-order.ts';
import { ORDER_RESPONSES } from '../../../api/orders/responses.ts';
import { placeOrderBody } from '../../../api/schemas/orders.ts';
import { listen } from '../../../api/server.ts';
import type { AppConfig } from '../../../config.ts';
import type { OrderId } from '../../../domain/ids.ts';
import { createPaymentWebhookVerifier } from '../../../gateways/stripe/webhook.ts';
import { createCallbackVerifier } from '../../../gateways/warehouse/callback.ts';
import { markProcessed, storeMessage } from '../../../prisma/events/inbox.ts';
import type { CheckoutStart } from '../../../prisma/orders/orders.ts';
import { processPaymentWebhooks } from '../../../services/payment-webhooks/process.ts';
import { inboxMessageOf } from '../../../services/shipment-callbacks.ts';
import { createLog } from '../../../telemetry/logging.ts';
import type { ShipmentAnswered } from '../../../workflows/checkout/contract.ts';
import { checkout } from './engine.ts';
import type { Shop } from './shop.ts';

const TRIES = 10;
const RETRY_AFTER_MS = 200;
/** As services/recovery.ts does in the app. */
const WEBHOOKS = { olderThanMs: 2_000, limit: 1_000 };
const WEBHOOKS_EVERY_MS = 1_000;

export async function serveBare(config: AppConfig, { db, payments, steps }: Shop): Promise<void> {
  const log = createLog(config.LOG_LEVEL);
  const verifyCallback = createCallbackVerifier(config.WAREHOUSE_CALLBACK_SECRET);
  const verifyPaymentWebhook = createPaymentWebhookVerifier(config.STRIPE_WEBHOOK_SECRET);
  const waiting = new Map<OrderId, (answered: ShipmentAnswered) => void>();

  async function run(orderId: OrderId): Promise<void> {
    const answered = new Promise<ShipmentAnswered>((resolve) => waiting.set(orderId, resolve));
    const durable = {
      step: <T>(_: string, work: () => Promise<T>) => retried(work),
      answer: () => answered,
    };
    await checkout({ steps, orderId }, durable);
    waiting.delete(orderId);
  }

  const settling = {
    db,
    payments,
    paymentActionMinutes: config.PAYMENT_ACTION_MINUTES,
    responses: ORDER_RESPONSES,
    starter: { startInBackground: ({ orderId }: CheckoutStart) => void run(orderId) },
  };
  const app = new Hono()
    .post('/v1/orders', async (c) => {
      const body = placeOrderBody.parse(await c.req.json());
      const key = c.req.header('idempotency-key') ?? '';
      const outcome = await placeOrder(settling, {
        body,
        claim: claimOf({ apiKeyId: 'bench', scope: 'POST /v1/orders', key, body }),
        requestId: key,
        correlationId: randomUUID(),
        traceparent: null,
        inspectable: false,
        defaultLanguage: config.DEFAULT_LANGUAGE,
        signal: c.req.raw.signal,
      });
      if (outcome.kind === 'refused') return c.json({ code: outcome.problem.code }, 503);
      if (outcome.kind === 'action_required') return c.json(outcome.body, 202);
      if (outcome.placed) void run(outcome.placed.id);
      return c.body(outcome.response.body, 201, { 'content-type': 'application/json' });
    })
    .post('/callbacks/warehouse', async (c) => {
      const body = new Uint8Array(await c.req.arrayBuffer());
      const verdict = verifyCallback({ body, headers: c.req.header() });
      if (verdict.kind !== 'verified') return c.json({}, 401);
      const message = inboxMessageOf(verdict.id, verdict.answer);
      if ((await storeMessage(db, message, body)) === 'stored') {
        waiting.get(verdict.answer.orderId)?.(verdict.answer);
        await markProcessed(db, { source: 'warehouse', ids: [message.id] }, 'delivered');
      }
      return c.json({ received: true });
    })
    .post('/callbacks/payments', async (c) => {
      const body = new Uint8Array(await c.req.arrayBuffer());
      const signature = c.req.header('stripe-signature') ?? null;
      const verdict = verifyPaymentWebhook({ body, signature });
      if (verdict.kind === 'rejected') return c.json({}, 401);
      const { id, orderId, about } = verdict;
      const type = verdict.type ?? '';
      const message = { source: 'payments', id, type, orderId, payload: { ...about } } as const;
      await storeMessage(db, message, body);
      return c.json({ received: true });
    });
  const webhooks = {
    ...settling,
    log,
    checkouts: { shipmentReleased: none },
    refunds: { start: none, wake: none, retry: none, inspect: none },
    onNotUnderstood: () => undefined,
  };
  setInterval(() => void processPaymentWebhooks(webhooks, WEBHOOKS), WEBHOOKS_EVERY_MS);
  await listen({ fetch: app.fetch, host: config.HOST, port: config.PORT });
}

/** The orders of a bench are not refunded, reviewed or disputed. */
const none = (): Promise<never> => Promise.reject(new Error('not in the bench'));

/** In memory only, for a provider that the bench overloads. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === TRIES) throw error;
      await delay(RETRY_AFTER_MS);
    }
  }
}
