/** A line to Temporal that breaks while something is asked is an answer, not an exception. */
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAskTemporal } from '../../api/ask-temporal.ts';
import { createTcpProxy } from '../../local/chaos/tcp-proxy.ts';
import type { TcpProxy } from '../../local/chaos/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { quietTemporal, startDevServer } from '../support/temporal.ts';
import type { DevServer } from '../support/temporal.ts';

const DEADLINE_MS = 1_000;
const AT_ONCE = 20;

let server: DevServer;
let proxy: TcpProxy;
let connection: NativeConnection;

beforeAll(async () => {
  quietTemporal();
  server = await startDevServer();
  proxy = await createTcpProxy({ target: { port: Number(server.address.split(':')[1]) } });
  connection = await NativeConnection.connect({ address: `127.0.0.1:${proxy.port}` });
});

afterAll(async () => {
  await connection.close();
  await proxy.close();
  await server.stop();
});

test('concurrent calls over a connection that is reset repeatedly all report Temporal as unavailable', async () => {
  const client = new Client({ connection });
  const ask = createAskTemporal(() => client);
  const isThere = async (): Promise<boolean> => {
    const answer = await ask(DEADLINE_MS, () => client.workflowService.getSystemInfo({}));
    return answer !== null;
  };
  expect(await isThere()).toBe(true);
  proxy.harm({ kind: 'refuse' });
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, isThere));
  expect(proxy.counts().refuse).toBeGreaterThan(0);
  expect(answers).toEqual(answers.map(() => false));
  proxy.heal();
  await eventually(async () => expect(await isThere()).toBe(true));
});
