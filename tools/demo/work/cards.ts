/** What banks and providers decide later: a payment to confirm, a part in stock, a review, a slow refund. */
import { z } from 'zod';
import { row } from '../paint.ts';
import { intentOf, paymentActionSchema } from '../shop.ts';
import {
  announce,
  arm,
  ask,
  clearFaults,
  effects,
  follow,
  place,
  placed,
  read,
  SHIPPED_ONCE,
  until,
  type PatternDemo,
  type Stage,
} from '../stage.ts';

/** What a person does at a provider: printed, and done in the sandbox. */
async function act(stage: Stage, path: string, body: object = {}): Promise<void> {
  await stage.sandbox.act(path, body);
  announce(stage, `POST /${path}`, JSON.stringify(body));
}

export const paymentAction: PatternDemo = {
  story: 'The bank asks the shopper: 202 with the units held and nothing started, then 200 or 402.',
  async show(stage) {
    for (const [outcome, status] of [
      ['authenticated', 200],
      ['failed', 402],
    ] as const) {
      const payment = { payment_method: 'pm_card_authenticationRequired' };
      const { result, code } = await place(stage, payment);
      stage.check('asked', code, 'payment_action_required');
      const action = paymentActionSchema.parse(result.body);
      const id = action.order_id;
      stage.check('effects at the providers', await effects(stage, id), {});
      await act(stage, `payments/intents/${intentOf(action)}/challenge`, { outcome });
      await ask(stage, { method: 'POST', path: `/v1/orders/${id}/confirm` }, status);
      await follow(stage, id, status === 200 ? 'shipped' : 'declined');
    }
  },
};

const orderSchema = z.object({
  total_minor: z.number(),
  due_minor: z.number(),
  payment: z.object({
    captured_minor: z.number(),
    cases: z.array(z.object({ id: z.string(), is_open: z.boolean() })),
  }),
});

export const partInStock: PatternDemo = {
  story:
    'The warehouse has one of two: it is sent, the rest is neither captured nor held any more.',
  async show(stage) {
    const stock = 'warehouse/stock/tee-black-m';
    await stage.sandbox.act(stock, { available: 1 }, 'PUT');
    announce(stage, `PUT /${stock} available 1`);
    try {
      const lines = [{ sku: 'tee-black-m', quantity: 2 }];
      const id = await placed(stage, { lines, fulfillment: 'ship_available' });
      await follow(stage, id, 'shipped');
      const { total_minor: total, due_minor: due, payment } = await orderOf(stage, id);
      stage.check('captured, half of what was authorized', payment.captured_minor, total / 2);
      stage.check('to pay', due, total / 2);
      stage.check('effects at the providers', await effects(stage, id), SHIPPED_ONCE);
    } finally {
      await stage.sandbox.act(stock, { available: null }, 'PUT');
    }
  },
};

export const heldShipment: PatternDemo = {
  story: 'The provider reviews the payment: the parcel waits until it is approved, a day at most.',
  async show(stage) {
    // So that the webhook is there first, as it is with a real warehouse.
    await arm(stage, { 'warehouse/reserve': { mode: 'latency', latency_ms: 1_000, times: 1 } });
    const id = await placed(stage, { payment_method: 'pm_card_riskLevelElevated' });
    const events = () => stage.shop.timeline(id);
    const held = await until(stage, events, (all) => all.some(isHeld));
    stage.check('shipment held', held.some(isHeld), true);
    const [review] = (await orderOf(stage, id)).payment.cases;
    stage.check('open', review?.is_open, true);
    await act(stage, `payments/reviews/${review?.id}/approve`);
    await follow(stage, id, 'shipped');
    stage.check('effects at the providers', await effects(stage, id), SHIPPED_ONCE);
    await clearFaults(stage);
  },
};

const isHeld = ({ type }: { readonly type: string }): boolean => type === 'order.shipment_held';

function orderOf(stage: Stage, id: string) {
  return read(stage, `/v1/orders/${id}`, orderSchema);
}

const refundSchema = z.object({
  id: z.string(),
  status: z.string(),
  provider_reference: z.string().nullable(),
});

export const pendingRefund: PatternDemo = {
  story:
    'The bank takes its time: pending is not reported as done, and the workflow waits up to 30 days.',
  async show(stage) {
    const id = await placed(stage, { payment_method: 'pm_card_pendingRefund' });
    await follow(stage, id, 'shipped');
    const body = { lines: [{ sku: 'mug-white', quantity: 1, restock: true }], reason: 'came back' };
    const path = `/v1/orders/${id}/refunds`;
    const asked = await ask(stage, { method: 'POST', path, role: 'operator', body }, 202);
    const { id: refund } = refundSchema.parse(asked.body);
    const state = () => read(stage, `/v1/refunds/${refund}`, refundSchema);
    const pending = await until(stage, state, ({ status }) => status === 'pending');
    stage.check('accepted by the provider', pending.status, 'pending');
    const since = performance.now();
    await act(stage, `payments/refunds/${pending.provider_reference}`, { status: 'succeeded' });
    const { status } = await until(stage, state, (each) => each.status !== 'pending');
    stage.say(row(performance.now() - since, `refund ${status}`));
    stage.check('refund', status, 'succeeded');
  },
};
