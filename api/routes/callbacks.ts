/**
 * Webhooks from the providers. The signature is verified on the raw bytes, and the message is stored
 * whole before it is acknowledged, whatever it says: a provider repeats what is refused for days. If
 * processing fails, services/recovery.ts repeats it from the inbox.
 */
import { Hono, type Context } from 'hono';
import { findTraceparent } from '../../prisma/orders/orders.ts';
import { recordsSpans } from '../../telemetry/tracing.ts';
import { storeMessage, UNRECOGNIZED_TYPE, type InboxMessage } from '../../prisma/events/inbox.ts';
import type { CallbackVerifier } from '../../gateways/warehouse/callback.ts';
import type { ApiEnv } from '../middleware/request.ts';
import { limitBody } from '../middleware/request-body.ts';
import { ProblemError } from '../http/problems.ts';
import type { Services } from '../context.ts';
import { handlePaymentWebhook } from '../../services/payment-webhooks/process.ts';
import { deliverShipmentSignal, inboxMessageOf } from '../../services/shipment-callbacks.ts';

/** A provider repeats what is refused: its longest events have some hundred kilobytes. */
const MAX_MESSAGE_BYTES = 1_048_576;

export function callbackRoutes(services: Services) {
  const { db, verifyCallback, verifyPaymentWebhook } = services;
  return new Hono<ApiEnv>()
    .post('/callbacks/warehouse', limitBody(MAX_MESSAGE_BYTES), async (c) => {
      const body = new Uint8Array(await c.req.arrayBuffer());
      const verdict = verifyCallback({ body, headers: c.req.header() });
      if (verdict.kind === 'rejected') throw badSignature();
      const message =
        verdict.kind === 'verified' ? inboxMessageOf(verdict.id, verdict.answer) : unclear(verdict);
      c.set('orderId', message.orderId ?? undefined);
      if ((await storeMessage(db, message, body)) === 'stored') {
        await bestEffort(services, message, deliverShipmentSignal(services, message));
      }
      await bestEffort(services, message, joinTrace(services, c));
      return c.json({ received: true }, 200);
    })
    .post('/callbacks/payments', limitBody(MAX_MESSAGE_BYTES), async (c) => {
      const body = new Uint8Array(await c.req.arrayBuffer());
      const signature = c.req.header('stripe-signature') ?? null;
      const verdict = verifyPaymentWebhook({ body, signature });
      if (verdict.kind === 'rejected') throw badSignature();
      const { id, orderId, about, kept } = verdict;
      c.set('orderId', orderId ?? undefined);
      const type = verdict.type ?? UNRECOGNIZED_TYPE;
      const message = { source: 'payments', id, type, orderId, payload: { ...about } } as const;
      // One that changes nothing is compared with our records some seconds later.
      if ((await storeMessage(db, message, kept)) === 'stored') {
        await bestEffort(services, message, handlePaymentWebhook(services, message));
      }
      await bestEffort(services, message, joinTrace(services, c));
      return c.json({ received: true }, 200);
    });
}

/** A provider that sends no trace: the span of its message belongs to the trace of the order. */
async function joinTrace({ db }: Services, c: Context<ApiEnv>): Promise<void> {
  const orderId = c.get('orderId');
  if (!recordsSpans() || orderId === undefined || c.req.header('traceparent') !== undefined) return;
  const traceparent = await findTraceparent(db, orderId);
  if (traceparent !== null) c.var.span.join(traceparent);
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

function unclear({ id, type, orderId }: UnclearCallback): InboxMessage {
  return { source: 'warehouse', id, type: type ?? UNRECOGNIZED_TYPE, orderId, payload: {} };
}

type UnclearCallback = Extract<ReturnType<CallbackVerifier>, { kind: 'not_understood' }>;

function badSignature(): ProblemError {
  const detail = 'Sign the raw body with the shared secret. The timestamp may differ by 5 minutes.';
  // RFC 9110 §11.6.1 wants a challenge of every 401, and no registered scheme signs webhooks.
  const headers = { 'www-authenticate': 'Signature realm="holdfast"' };
  return new ProblemError({ code: 'invalid_signature', detail, headers });
}
