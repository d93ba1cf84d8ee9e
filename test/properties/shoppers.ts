/** What shoppers may want, at random, and what each of them then saw. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { z } from 'zod';
import { isOrderId, isRefundId, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import { SETTLED_STATUSES } from '../../domain/order.ts';
import { eventually } from '../support/eventually.ts';
import type { RunningShop } from '../support/running-shop.ts';

export const SKUS = ['plenty', 'some', 'rare'] as const;

export interface Wish {
  readonly lines: readonly { readonly sku: (typeof SKUS)[number]; readonly quantity: number }[];
  readonly card: 'pm_card_visa' | 'pm_card_chargeDeclined';
  /** How often the shopper presses the button, at once. */
  readonly clicks: number;
  /** Cancel as soon as the order has seen so many events, so often at once; null: never. */
  readonly cancel: { readonly afterEvents: number; readonly clicks: number } | null;
  /** Refunds asked for at once when the order has shipped, in percent of its total. */
  readonly refundPercents: readonly number[];
}

export const wishes: fc.Arbitrary<Wish> = fc.record({
  lines: fc.array(
    fc.record({ sku: fc.constantFrom(...SKUS), quantity: fc.integer({ min: 1, max: 3 }) }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  card: fc.constantFrom('pm_card_visa', 'pm_card_visa', 'pm_card_visa', 'pm_card_chargeDeclined'),
  clicks: fc.integer({ min: 1, max: 3 }),
  cancel: fc.option(
    fc.record({
      afterEvents: fc.integer({ min: 2, max: 7 }),
      clicks: fc.integer({ min: 1, max: 2 }),
    }),
  ),
  refundPercents: fc.array(fc.integer({ min: 10, max: 100 }), { maxLength: 3 }),
});

export interface Seen {
  readonly wish: Wish;
  /** The one status that the clicks came to, and the bodies with it. */
  readonly placed: { readonly status: number; readonly bodies: readonly string[] };
  readonly orderId: OrderId | null;
  /** Statuses of the cancel's clicks. */
  readonly cancels: readonly number[];
  /** Amounts of the refunds that were accepted, in minor units. */
  readonly refundsMinor: readonly number[];
}

/** For what takes moments, on a machine that is busy. */
const PATIENCE = { timeoutMs: 30_000 } as const;
const REST: readonly string[] = SETTLED_STATUSES;
const PLACED = z.object({ id: z.string(), total_minor: z.int() });
const REFUND = z.object({ id: z.string(), amount_minor: z.int() });

/** One shopper, until the order rests and every refund has ended. */
export async function goShopping(shop: RunningShop, wish: Wish): Promise<Seen> {
  const key = randomUUID();
  const clicks = Array.from({ length: wish.clicks }, () => click(shop, wish, key));
  const answers = await Promise.all(clicks);
  // Sold out settles nothing: the key stays free, and a click a moment later may find units again.
  const settled = answers.filter((answer) => answer.status !== 409);
  const bodies = (settled.length > 0 ? settled : answers).map(({ body }) => body);
  const status = settled[0]?.status ?? 409;
  const seen = { wish, placed: { status, bodies }, orderId: null, cancels: [], refundsMinor: [] };
  if (status !== 201) return seen;
  const { id: orderId, total_minor: totalMinor } = PLACED.parse(JSON.parse(bodies[0] ?? ''));
  if (!isOrderId(orderId)) throw new Error(`no order id: ${orderId}`);
  await shop.services.starter.drain();
  const [cancels] = await Promise.all([
    cancel(shop, wish, orderId),
    shop.checkoutOf(orderId).result(),
  ]);
  const refundsMinor = await refund(shop, { wish, orderId, totalMinor });
  return { ...seen, orderId, cancels, refundsMinor };
}

/** Presses until the answer settles the order, as a client does: the same key, the same body. */
function click(shop: RunningShop, wish: Wish, key: string) {
  const changes = { lines: wish.lines, payment_method: wish.card };
  return eventually(async () => {
    const answer = await shop.place(changes, key);
    const body = await answer.text();
    if (answer.status === 503 || body.includes('request_in_flight')) throw new Error(body);
    return { status: answer.status, body };
  }, PATIENCE);
}

/** Cancels when the order has got so far, or rests; the same wish, pressed more than once. */
async function cancel(shop: RunningShop, wish: Wish, orderId: OrderId): Promise<readonly number[]> {
  if (wish.cancel === null) return [];
  const { afterEvents, clicks } = wish.cancel;
  await eventually(async () => {
    const order = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
    if (order.version < afterEvents && !REST.includes(order.status)) throw new Error(order.status);
  }, PATIENCE);
  const press = (): Promise<number> => {
    const key = randomUUID();
    return eventually(async () => {
      const { status } = await shop.ask('POST', `/v1/orders/${orderId}/cancel`, { key, body: {} });
      if (status === 503) throw new Error('no definite answer yet');
      return status;
    }, PATIENCE);
  };
  return Promise.all(Array.from({ length: clicks }, press));
}

/** Asks for every refund at once, and waits until the accepted ones have ended. */
async function refund(
  shop: RunningShop,
  asked: { readonly wish: Wish; readonly orderId: OrderId; readonly totalMinor: number },
): Promise<readonly number[]> {
  const { wish, orderId, totalMinor } = asked;
  const ask = async (percent: number): Promise<z.infer<typeof REFUND> | null> => {
    const body = { amount_minor: Math.ceil((totalMinor * percent) / 100), reason: 'returned' };
    const key = randomUUID();
    const path = `/v1/orders/${orderId}/refunds`;
    const answer = await eventually(async () => {
      const tried = await shop.ask('POST', path, { role: 'operator', key, body });
      if (tried.status === 503) throw new Error(`refund: ${await tried.text()}`);
      return tried;
    }, PATIENCE);
    if (answer.status === 202) return REFUND.parse(await answer.json());
    // Nothing was captured, or less is left than asked for.
    if (answer.status === 409 || answer.status === 422) return null;
    throw new Error(`refund: ${answer.status} ${await answer.text()}`);
  };
  const answers = await Promise.all(wish.refundPercents.map(ask));
  const accepted = answers.filter((answer) => answer !== null);
  await shop.services.starts.drain();
  for (const { id } of accepted) {
    if (!isRefundId(id)) throw new Error(`no refund id: ${id}`);
    await shop.temporal.client.workflow.result(refundWorkflowId(id));
  }
  return accepted.map(({ amount_minor: amountMinor }) => amountMinor);
}
