/** A connection to Temporal that breaks during a call is a value, not an exception. */
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTemporalDeadline } from '../../temporal/deadline.ts';
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
