import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CANARIES } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startCollector, type CollectedSpan } from '../support/otlp-collector.ts';
import { useOpened } from '../support/use-opened.ts';
import { startReceiver } from '../support/webhook-receiver.ts';
import { openSystem } from './system.ts';

/** Spans through the whole service, as a collector gets them from its processes. */
const collector = useOpened(startCollector);
const receiver = useOpened(startReceiver);
const system = useOpened(() =>
  openSystem({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'info' } }),
);

const SHOP = { trace: 'c'.repeat(32), span: 'd'.repeat(16) };
const WITHIN = { timeoutMs: 120_000 };

test('one order is one trace, from the request to its provider calls, steps, callback and webhooks', async () => {
  const types = ['order.shipped'];
  await system.operate('POST', '/v1/webhook-endpoints', { url: receiver.url, types });
  const { orderId } = await shipOne();
  const request = await eventually(() => rootOf(orderId), WITHIN);
  const paths = await eventually(() => {
    const found = pathsOf(request.traceId);
    expect(found).toEqual(expect.arrayContaining(EXPECTED.map((each) => `POST /v1/orders${each}`)));
    return found;
  }, WITHIN);
  expect(paths.filter((path) => path.includes('missing'))).toEqual([]);
  const spans = spansOf(request.traceId);
  expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['holdfast']));
  expect(spans.filter(({ isError }) => isError)).toEqual([]);
  for (const span of spans) {
    expect(span.endedAtNs).toBeGreaterThanOrEqual(span.startedAtNs);
    // Both processes run on this machine, by one clock of milliseconds.
    expect(span.startedAtNs).toBeGreaterThanOrEqual(request.startedAtNs);
  }
  const text = JSON.stringify(collector.spans, (_, value) => String(value));
  for (const canary of CANARIES) expect(text).not.toContain(canary);
  expect(logOf('api')).toContain(`"trace_id":"${request.traceId}"`);
});

/** Below the request: its own call, the workflow with its steps and their calls, and what comes back. */
const EXPECTED = [
  ' > POST /v1/payment_intents',
  ' > checkout',
  ' > checkout > reserveStock > POST /warehouse/reservations',
  ' > checkout > capturePayment > POST /v1/payment_intents/*/capture',
  ' > checkout > requestShipment > POST /warehouse/shipments',
  ' > checkout > recordShipped',
  ' > checkout > notifyCustomer > send mail',
  ' > POST /callbacks/warehouse',
  ' > webhook order.shipped',
];

test('the trace of a shop continues here with what failed in it, unless it is not sampled', async () => {
  const header = (flags: string, trace = SHOP.trace) => `00-${trace}-${SHOP.span}-${flags}`;
  const unsampled = 'e'.repeat(32);
  await shipOne({ traceparent: header('00', unsampled) });
  const capture = { provider: 'payments', operation: 'capture' } as const;
  system.sandbox.faults.set(capture, { mode: 'fail_before', times: 1 });
  const { orderId } = await shipOne({ traceparent: header('01') });
  const request = await eventually(() => rootOf(orderId), WITHIN);
  expect(request).toMatchObject({ traceId: SHOP.trace, parentId: SHOP.span });
  const order = await system.db.order.findUniqueOrThrow({ where: { id: orderId } });
  expect(order.traceparent).toBe(`00-${SHOP.trace}-${request.spanId}-01`);
  await eventually(
    () => expect(pathsOf(SHOP.trace)).toContain('POST /v1/orders > checkout'),
    WITHIN,
  );
  expect(spansOf(unsampled)).toEqual([]);
  const failed = spansOf(SHOP.trace).filter(({ isError }) => isError);
  expect(failed.map(({ name }) => name).toSorted()).toEqual([
    'POST /v1/payment_intents/*/capture',
    'capturePayment',
  ]);
});

test('a collector that hangs or is down delays no order, is reported once, and does not delay the stop', async () => {
  collector.how.answer = () => null;
  await shipOne();
  await eventually(() => expect(collector.open.size).toBeGreaterThan(0));
  await system.api.stop();
  expect(await system.api.ended()).toBe(0);
  await collector.close();
  await system.api.start();
  await shipOne();
  const reports = () => logOf('api').match(/"msg":"spans are not exported"/g);
  await eventually(() => expect(reports()?.length).toBeGreaterThan(0));
  await shipOne();
  await system.api.stop();
  expect(await system.api.ended()).toBe(0);
  // One process reported the one that hung, unless it stopped before; the other the one that was down.
  expect(reports()?.length).toBeLessThanOrEqual(2);
});

async function shipOne(
  headers: Record<string, string> = {},
): Promise<{ readonly orderId: string }> {
  const { status, body } = await system.place({ headers });
  expect(status).toBe(201);
  const { id: orderId } = z.object({ id: z.string() }).parse(body);
  const notification = { orderId, type: 'order.customer_notified' };
  await eventually(
    async () => expect(await system.db.event.count({ where: notification })).toBe(2),
    WITHIN,
  );
  return { orderId };
}

/** The request that placed the order. */
function rootOf(orderId: string): CollectedSpan {
  const root = collector.spans.find(
    ({ name, attributes }) => name === 'POST /v1/orders' && attributes['order.id'] === orderId,
  );
  if (root === undefined) throw new Error(`no span of the request that placed ${orderId}`);
  return root;
}

function spansOf(traceId: string): readonly CollectedSpan[] {
  return collector.spans.filter((span) => span.traceId === traceId);
}

/** Each span of the trace as the names from the request down to it. */
function pathsOf(traceId: string): readonly string[] {
  const byId = new Map(spansOf(traceId).map((span) => [span.spanId, span]));
  const pathOf = ({ name, parentId }: CollectedSpan): string => {
    const parent = byId.get(parentId);
    if (parent !== undefined) return `${pathOf(parent)} > ${name}`;
    return parentId === '' || parentId === SHOP.span ? name : `missing > ${name}`;
  };
  return spansOf(traceId).map(pathOf);
}

function logOf(name: 'api' | 'worker'): string {
  return readFileSync(system[name].logFile, 'utf8');
}
