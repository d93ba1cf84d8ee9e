import { afterAll, beforeAll, expect } from 'vitest';
import { createTcpProxy, type TcpProxy } from '../../../tools/chaos/tcp-proxy.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { test } from '../matrix-case.ts';
import { openTestStack, type TestStack } from './test-stack.ts';
import { startReplicated, type OwnPostgres, type Standby } from './own-postgres.ts';
import { expectReady, expectRefused, startShoppers } from './shoppers.ts';

/** The database address is a proxy's, which forwards to the primary, later to the standby. */
const { onClose, close } = createCleanup();
let primary: OwnPostgres;
let standby: Standby;
let proxy: TcpProxy;
const target = { port: 0 };
let stack: TestStack;
beforeAll(async () => {
  ({ primary, standby } = await startReplicated({ onClose }));
  target.port = primary.port;
  proxy = await createTcpProxy({ target });
  onClose(() => proxy.close());
  const url = new URL(primary.url);
  url.port = String(proxy.port);
  stack = await openTestStack({ onClose, databaseUrl: url.href });
});
afterAll(close);

test('[infra/standby-failover] a failover to the standby causes 503 until its promotion, and no accepted order is lost', async (proof) => {
  const shoppers = startShoppers(stack);
  await shoppers.untilMore(10);
  await primary.kill('SIGKILL');
  proof.fired(1);
  await expectRefused(stack);
  // A client that reaches the standby before its promotion can replay, and cannot write.
  target.port = standby.port;
  await expectRefused(stack);
  const [first] = shoppers.accepted;
  if (!first) throw new Error('no order was accepted');
  expect(await stack.client.tryOnce(first.request)).toEqual(first.response);
  await standby.promote();
  await expectReady(stack, true);
  await shoppers.untilMore(10);
  await shoppers.expectAllKept();
});
