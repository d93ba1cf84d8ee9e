/**
 * Webhooks from the providers. The signature is verified on the raw bytes, and the message is stored
 * before it is acknowledged. If processing fails, services/recovery.ts repeats it from the inbox.
 */
import { Hono } from 'hono';
import { markProcessed, storeMessage, type InboxMessage } from '../../prisma/events/inbox.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { limitBody } from '../middleware/request-body.ts';
import { processPaymentWebhook } from '../../services/payment-webhooks.ts';
import { ProblemError } from '../http/problems.ts';
import type { Services } from '../context.ts';
import { deliverShipmentSignal, inboxMessageOf } from '../../services/shipment-callbacks.ts';

export function callbackRoutes(services: Services) {
  const { db, verifyCallback, verifyPaymentWebhook } = services;
  return new Hono<ApiEnv>()
    .post('/callbacks/warehouse', limitBody(), async (c) => {
      const body = new Uint8Array(await c.req.arrayBuffer());
      const verdict = verifyCallback({ body, headers: c.req.header() });
      switch (verdict.kind) {
        case 'rejected':
          throw badSignature();
        case 'unrecognized':
          await storeUnrecognized(services, verdict.id);
          break;
        case 'verified': {
          const message = inboxMessageOf(verdict.id, verdict.answer);
          c.set('orderId', verdict.answer.orderId);
          const stored = await storeMessage(db, message);
          if (stored === 'stored') {
            await bestEffort(services, message, deliverShipmentSignal(services, message));
          }
        }
      }
      return c.json({ received: true }, 200);
    })
    .post('/callbacks/payments', limitBody(), async (c) => {
      const body = new Uint8Array(await c.req.arrayBuffer());
      const signature = c.req.header('stripe-signature') ?? null;
      const verdict = verifyPaymentWebhook({ body, signature });
      if (verdict.kind === 'rejected') {
        if (verdict.reason === 'bad_signature') throw badSignature();
        const detail = 'The event has no id, type or object.';
        throw new ProblemError({ code: 'malformed_message', detail });
      }
      const { id, type, orderId, reference, refundedMinor } = verdict;
      c.set('orderId', orderId ?? undefined);
      const payload = { reference, ...(refundedMinor !== null && { refundedMinor }) };
      const message = { source: 'payments', id, type, orderId, payload } as const;
      if ((await storeMessage(db, message)) === 'stored') {
        await bestEffort(services, message, processPaymentWebhook(services, message));
      }
      return c.json({ received: true }, 200);
    });
}

/** The message is stored, so a failure from here on does not concern the sender. */
async function bestEffort(
  { log }: Services,
  { orderId }: InboxMessage,
  work: Promise<unknown>,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    log.warn({ err: error, order_id: orderId }, 'callback not processed yet');
  }
}

async function storeUnrecognized({ db }: Services, id: string): Promise<void> {
  const message = { source: 'warehouse', id } as const;
  await storeMessage(db, { ...message, type: 'unrecognized', orderId: null, payload: {} });
  await markProcessed(db, message, 'unrecognized');
}

function badSignature(): ProblemError {
  const detail = 'Sign the raw body with the shared secret. The timestamp may differ by 5 minutes.';
  return new ProblemError({ code: 'invalid_signature', detail });
}
