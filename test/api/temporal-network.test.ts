/** A connection to Temporal that breaks, or a namespace that is not there, is a value, not an exception. */
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createCheckoutClient } from '../../temporal/checkout-client.ts';
import { createTemporalDeadline } from '../../temporal/deadline.ts';
import { createRefundClient } from '../../temporal/refund-client.ts';
import { newOrderId } from '../gateways/provider.ts';
import { newId } from '../../prisma/client/ids.ts';
import { createTcpProxy, type TcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';

const DEADLINE_MS = 1_000;
const CONCURRENT_CALLS = 20;

let proxy: TcpProxy;
let connection: NativeConnection;

beforeAll(async () => {
  const port = Number(inject('temporalAddress').split(':')[1]);
  proxy = await createTcpProxy({ target: { port } });
  connection = await NativeConnection.connect({ address: `127.0.0.1:${proxy.port}` });
});

afterAll(async () => {
  await connection.close();
  await proxy.close();
});

test('concurrent calls over a connection that is reset repeatedly all report Temporal as unavailable', async () => {
  const client = new Client({ connection });
  const withDeadline = createTemporalDeadline(() => client);
  const isReachable = async (): Promise<boolean> => {
    const call = () => client.workflowService.getSystemInfo({});
    return !('kind' in (await withDeadline(DEADLINE_MS, call)));
  };
  expect(await isReachable()).toBe(true);
  proxy.inject({ kind: 'refuse' });
  const results = await Promise.all(Array.from({ length: CONCURRENT_CALLS }, isReachable));
  expect(proxy.counts().refuse).toBeGreaterThan(0);
  expect(results).toEqual(results.map(() => false));
  proxy.clearFaults();
  await eventually(async () => expect(await isReachable()).toBe(true));
});

test('a namespace that does not exist is named by the readiness and makes Temporal unavailable, never an exception', async () => {
  const client = new Client({ connection, namespace: 'not-there' });
  const checkouts = createCheckoutClient({ client: () => client, eagerStart: false });
  const orderId = newOrderId();
  const order = {
    orderId,
    totalMinor: 1,
    currency: 'EUR',
    skus: [],
    correlationId: 'c',
    traceparent: null,
    inspectable: false,
  };
  const answered = { correlationId: 'c', answer: { kind: 'refused', reason: 'r' } } as const;
  const refunds = createRefundClient({ client: () => client });
  await eventually(async () =>
    expect(await checkouts.unavailableReason()).toMatch(/the namespace "not-there" does not exist/),
  );
  const outcomes = await Promise.all([
    checkouts.start(order),
    checkouts.cancel(order, { reason: 'requested_by_customer' }, 'cancel/test'),
    checkouts.shipmentAnswered(orderId, answered),
    checkouts.inspect(orderId),
    refunds.inspect(newId('refund')),
  ]);
  expect(outcomes).toEqual(outcomes.map(() => ({ kind: 'unavailable' })));
});
