import { describe, expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { PAYMENT_LIMITS } from '../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { apiOf, placeOrder } from '../support/client.ts';
import { readRequest, startHttpServer } from '../support/http-server.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { heldMugs } from '../support/orders.ts';
import { useShop, paymentEffects } from '../support/shop.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
const FIND = { provider: 'payments', operation: 'lookup' } as const;

const shop = useShop();

/** One try with a provider that is not waited for. */
function placeHastily(key: string): Promise<Response> {
  const authorize = { ...PAYMENT_LIMITS.authorize, deadlineMs: 300 };
  const limits = { ...PAYMENT_LIMITS, authorize };
  const apiUrl = shop.sandbox.url;
  const payments = createStripePayments({ apiKey: 'sk_test_shop', apiUrl, limits });
  return placeOrder(apiOf(createApp({ ...shop.services, payments })), mugs, { key });
}

const mugs = { lines: [{ sku: 'mug-white', quantity: 1 }] };

describe('an unresponsive payment provider', () => {
  test('an order returns 503 with Retry-After while the payment provider hangs, and its retry authorizes it once', async () => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'hang' });
    const waiting = await placeHastily('hanging');
    expect(waiting.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await problemOf(waiting)).toMatchObject({
      status: 503,
      code: 'payment_unavailable',
      retryable: true,
    });
    shop.sandbox.faults.clear();
    const response = await shop.place(mugs, 'hanging');
    expect(response.status).toBe(201);
    const { id } = await orderOf(response);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
    expect(await shop.db.order.count({ where: { id } })).toBe(1);
  });

  test('an order with an unknown authorization outcome returns 503, and its retry places it authorized once', async () => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    shop.sandbox.faults.set(FIND, { mode: 'down', times: 1 });
    expect((await shop.place(mugs, 'nobody-knows')).status).toBe(503);
    const response = await shop.place(mugs, 'nobody-knows');
    expect(response.status).toBe(201);
    expect(paymentEffects(shop, (await orderOf(response)).id)).toEqual({ authorize: 1 });
  });

  test('an order whose payment the provider has not judged yet returns 503 and keeps its units', async () => {
    const held = await heldMugs(shop.db);
    const intent = { status: 'requires_confirmation', last_payment_error: null };
    const problem = await problemOf(await placeUnanswered('not-judged', intent));
    expect(problem).toMatchObject({ status: 503, code: 'payment_unavailable', retryable: true });
    expect(await heldMugs(shop.db)).toBe(held + 1);
  });

  test('a decline whose response was lost is returned as payment_declined and releases the stock', async () => {
    const held = await heldMugs(shop.db);
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    const declined = { ...mugs, payment_method: 'pm_card_chargeDeclined' };
    expect((await problemOf(await shop.place(declined))).code).toBe('payment_declined');
    expect(await heldMugs(shop.db)).toBe(held);
  });
});

/** The provider creates this intent for the order and loses its response; a look-up finds it. */
async function placeUnanswered(key: string, intent: object): Promise<Response> {
  let metadata = {};
  const provider = await startHttpServer(async (request, response) => {
    if (request.method === 'POST') {
      const { body } = await readRequest(request);
      metadata = { order_id: new URLSearchParams(body).get('metadata[order_id]') };
      return request.socket.destroy();
    }
    const created = Math.floor(Date.now() / 1_000);
    const found = { id: 'pi_1', amount: 1_200, currency: 'eur', created, metadata, ...intent };
    const isList = request.url?.startsWith('/v1/payment_intents?') === true;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isList ? { data: [found], has_more: false } : found));
  });
  onTestFinished(provider.close);
  const payments = createStripePayments({ apiKey: 'sk_test_shop', apiUrl: provider.url });
  return placeOrder(apiOf(createApp({ ...shop.services, payments })), mugs, { key });
}
