/** Random plans of shoppers, and the responses that each received. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { z } from 'zod';
import { isOrderId, isRefundId, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import { SETTLED_STATUSES } from '../../domain/order.ts';
import { eventually } from '../support/eventually.ts';
import type { RunningShop } from '../support/running-shop.ts';
import { times } from '../support/times.ts';

export const SKUS = ['plenty', 'some', 'rare'] as const;

export interface Plan {
  readonly lines: readonly { readonly sku: (typeof SKUS)[number]; readonly quantity: number }[];
  readonly card: 'pm_card_visa' | 'pm_card_chargeDeclined';
  /** Concurrent requests of the shopper. */
  readonly clicks: number;
  /** Cancel once the order has `afterEvents` events, with `clicks` concurrent requests; null: never. */
  readonly cancel: { readonly afterEvents: number; readonly clicks: number } | null;
  /** Concurrent refunds of the shipped order, in percent of its total. */
  readonly refundPercents: readonly number[];
}

export const plans: fc.Arbitrary<Plan> = fc.record({
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
  readonly plan: Plan;
  /** The one status of the responses, and their bodies. */
  readonly placed: { readonly status: number; readonly bodies: readonly string[] };
  readonly orderId: OrderId | null;
  /** Statuses of the cancel's clicks. */
  readonly cancels: readonly number[];
  /** Amounts of the refunds that were accepted, in minor units. */
  readonly refundsMinor: readonly number[];
}

/** For a busy machine. */
const TIMEOUT = { timeoutMs: 30_000 } as const;
const SETTLED: readonly string[] = SETTLED_STATUSES;
const PLACED = z.object({ id: z.string(), total_minor: z.int() });
const REFUND = z.object({ id: z.string(), amount_minor: z.int() });

/** One shopper, until the order and every refund are settled. */
export async function runShopper(shop: RunningShop, plan: Plan): Promise<Seen> {
  const key = randomUUID();
  const clicks = times(plan.clicks, () => click(shop, plan, key));
  const answers = await Promise.all(clicks);
  // Sold out settles nothing: the key stays free, and a later request may find units again.
  const settled = answers.filter((answer) => answer.status !== 409);
  const bodies = (settled.length > 0 ? settled : answers).map(({ body }) => body);
  const status = settled[0]?.status ?? 409;
  const seen = { plan, placed: { status, bodies }, orderId: null, cancels: [], refundsMinor: [] };
  if (status !== 201) return seen;
  const { id: orderId, total_minor: totalMinor } = PLACED.parse(JSON.parse(bodies[0] ?? ''));
  if (!isOrderId(orderId)) throw new Error(`no order id: ${orderId}`);
  await shop.services.starter.drain();
  const [cancels] = await Promise.all([
    cancel(shop, plan, orderId),
    shop.checkoutOf(orderId).result(),
  ]);
  const refundsMinor = await refund(shop, { plan, orderId, totalMinor });
  return { ...seen, orderId, cancels, refundsMinor };
}

/** Retries until the response is final, as a client does: the same key, the same body. */
function click(shop: RunningShop, plan: Plan, key: string) {
  const changes = { lines: plan.lines, payment_method: plan.card };
  return eventually(async () => {
    const answer = await shop.place(changes, key);
    const body = await answer.text();
    if (answer.status === 503 || body.includes('request_in_flight')) throw new Error(body);
    return { status: answer.status, body };
  }, TIMEOUT);
}

/** Cancels once the order has enough events, or is settled; with concurrent requests. */
async function cancel(shop: RunningShop, plan: Plan, orderId: OrderId): Promise<readonly number[]> {
  if (plan.cancel === null) return [];
  const { afterEvents, clicks } = plan.cancel;
  await eventually(async () => {
    const order = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
    if (order.version < afterEvents && !SETTLED.includes(order.status))
      throw new Error(order.status);
  }, TIMEOUT);
  const press = (): Promise<number> => {
    const key = randomUUID();
    return eventually(async () => {
      const { status } = await shop.request('POST', `/v1/orders/${orderId}/cancel`, {
        key,
        body: {},
      });
      if (status === 503) throw new Error('no definite response yet');
      return status;
    }, TIMEOUT);
  };
  return Promise.all(Array.from({ length: clicks }, press));
}

/** Requests every refund at once, and waits until the accepted ones are settled. */
async function refund(
  shop: RunningShop,
  asked: { readonly plan: Plan; readonly orderId: OrderId; readonly totalMinor: number },
): Promise<readonly number[]> {
  const { plan, orderId, totalMinor } = asked;
  const ask = async (percent: number): Promise<z.infer<typeof REFUND> | null> => {
    const body = { amount_minor: Math.ceil((totalMinor * percent) / 100), reason: 'returned' };
    const key = randomUUID();
    const path = `/v1/orders/${orderId}/refunds`;
    const answer = await eventually(async () => {
      const tried = await shop.request('POST', path, { role: 'operator', key, body });
      if (tried.status === 503) throw new Error(`refund: ${await tried.text()}`);
      return tried;
    }, TIMEOUT);
    if (answer.status === 202) return REFUND.parse(await answer.json());
    // Nothing was captured, or less is left than requested.
    if (answer.status === 409 || answer.status === 422) return null;
    throw new Error(`refund: ${answer.status} ${await answer.text()}`);
  };
  const answers = await Promise.all(plan.refundPercents.map(ask));
  const accepted = answers.filter((answer) => answer !== null);
  await shop.services.starts.drain();
  for (const { id } of accepted) {
    if (!isRefundId(id)) throw new Error(`no refund id: ${id}`);
    await shop.temporal.client.workflow.result(refundWorkflowId(id));
  }
  return accepted.map(({ amount_minor: amountMinor }) => amountMinor);
}
