/** A line to Temporal that breaks while something is asked is an answer, not an exception. */
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTemporalDeadline } from '../../temporal/deadline.ts';
import { createTcpProxy, type TcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';

const DEADLINE_MS = 1_000;
const AT_ONCE = 20;

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
  const ask = createTemporalDeadline(() => client);
  const isThere = async (): Promise<boolean> => {
    const answer = await ask(DEADLINE_MS, () => client.workflowService.getSystemInfo({}));
    return answer !== null;
  };
  expect(await isThere()).toBe(true);
  proxy.inject({ kind: 'refuse' });
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, isThere));
  expect(proxy.counts().refuse).toBeGreaterThan(0);
  expect(answers).toEqual(answers.map(() => false));
  proxy.clearFaults();
  await eventually(async () => expect(await isThere()).toBe(true));
});
