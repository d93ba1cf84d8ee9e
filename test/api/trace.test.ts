import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { runRecovery } from '../../services/recovery.ts';
import { isRefundId } from '../../domain/ids.ts';
import { traceIdOf } from '../../telemetry/traceparent.ts';
import { findUnstarted } from '../../prisma/orders/orders.ts';
import { findRefundStart, findUnstartedRefunds } from '../../prisma/payments/refunds.ts';
import { listStuckRefunds } from '../../prisma/payments/stuck-refunds.ts';
import { findCheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import { eventually } from '../support/eventually.ts';
import { paidOrder, placedOrder } from '../support/orders.ts';
import { placeOrder } from '../support/client.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();

const TRACE = 'a'.repeat(32);
const traceparent = `00-${TRACE}-${'b'.repeat(16)}-01`;
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100 };

test("an order's trace is passed to its workflow, also when the start is read from the database", async () => {
  const id = await placedOrder(shop, {}, { headers: { traceparent } });
  await shop.services.starter.drain();
  expect(shop.checkouts.started.at(-1)).toMatchObject({ orderId: id, traceparent });
  await shop.db.order.update({ where: { id }, data: { workflowStartedAt: null } });
  expect(await findUnstarted(shop.db, [id])).toMatchObject([{ orderId: id, traceparent }]);
  expect((await findCheckoutProgress(shop.db, id))?.start).toMatchObject({
    orderId: id,
    traceparent,
  });
});

test("a refund's workflow gets the trace of the order, not the trace of the refund request", async () => {
  const orderId = await paidOrder(shop);
  await shop.db.order.update({ where: { id: orderId }, data: { traceparent } });
  const accepted = await shop.request('POST', `/v1/orders/${orderId}/refunds`, {
    role: 'operator',
    key: 'traced',
    body: { reason: 'broken' },
    headers: { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01` },
  });
  const { id } = z.object({ id: z.string().refine(isRefundId) }).parse(await accepted.json());
  await shop.services.starts.drain();
  expect(shop.refunds.started.at(-1)).toMatchObject({ refundId: id, traceparent });
  expect(await findRefundStart(shop.db, id)).toMatchObject({ traceparent });
  await shop.db.refund.update({ where: { id }, data: { workflowStartedAt: null } });
  expect(await findUnstartedRefunds(shop.db, [id])).toMatchObject([{ refundId: id, traceparent }]);
  const still = { idleMs: 0, recheckMs: 0, limit: 10 };
  expect(await listStuckRefunds(shop.db, still)).toMatchObject([{ refundId: id, traceparent }]);
});

test('each event in the feed carries the trace of its order, and no trace when the order has none', async () => {
  const traced = await placedOrder(shop, {}, { headers: { traceparent } });
  const malformed = await placedOrder(
    shop,
    {},
    { headers: { traceparent: `${traceparent}-more` } },
  );
  await eventually(async () => {
    const response = await shop.request('GET', '/v1/events?limit=500', { role: 'operator' });
    const { data } = feed.parse(await response.json());
    const traces = (orderId: string) =>
      data.filter(({ subject }) => subject === orderId).map((event) => event.traceparent);
    expect(traces(traced)).toEqual([traceparent, traceparent]);
    expect(traces(malformed)).toEqual([undefined, undefined]);
  });
});

test('an abandoned order is looked up and voided within its own trace', async () => {
  shop.sandbox.faults.set(
    { provider: 'payments', operation: 'authorize' },
    { mode: 'answer_lost', times: 1 },
  );
  shop.sandbox.faults.set(
    { provider: 'payments', operation: 'lookup' },
    { mode: 'down', times: 1 },
  );
  const lost = await placeOrder(shop.api, {}, { headers: { traceparent } });
  expect(lost.status).toBe(503);
  const past = new Date(Date.now() - 600_000);
  await shop.db.order.updateMany({
    where: { status: 'pending' },
    data: { createdAt: past, deadlineAt: past },
  });
  const requests: string[] = [];
  const record = (message: unknown): void => {
    const { request } = z.object({ request: z.instanceof(IncomingMessage) }).parse(message);
    const trace = traceIdOf(String(request.headers['traceparent']));
    requests.push(`${request.method} ${trace}`);
  };
  subscribe('http.server.request.start', record);
  expect((await runRecovery(shop.services, NOW)).expired).toBe(1);
  unsubscribe('http.server.request.start', record);
  expect(new Set(requests)).toEqual(new Set([`GET ${TRACE}`, `POST ${TRACE}`]));
});

const feed = z.object({
  data: z.array(z.object({ subject: z.string(), traceparent: z.string().optional() })),
});
