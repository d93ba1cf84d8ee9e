import { afterAll, beforeAll, expect } from 'vitest';
import { createTcpProxy, type TcpProxy } from '../../../tools/chaos/tcp-proxy.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { cell } from '../matrix-case.ts';
import { openServer, openTestStack, type TestStack } from './test-stack.ts';
import { startReplicated, type OwnPostgres, type Standby } from './own-postgres.ts';
import { expectKept, expectReady, expectRefused, startShoppers } from './shoppers.ts';
import { expectEventuallyConsistent } from './consistent.ts';

/** The address of the database is the proxy's, which leads to the primary, or to the standby. */
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
  const server = await openServer(onClose);
  const database = { url: url.href, drop: () => Promise.resolve() };
  stack = await openTestStack({ name: 'shop', server, onClose, database });
});
afterAll(close);

cell(
  'infra/standby-failover',
  'a failover to the standby causes 503 until its promotion, and no accepted order is lost',
  async ({ fired }) => {
    const shoppers = startShoppers(stack);
    await shoppers.untilMore(10);
    await primary.kill('SIGKILL');
    fired(1);
    await expectRefused(stack);
    // Whoever is led to the standby too soon reads what was, and decides nothing by it.
    target.port = standby.port;
    await expectRefused(stack);
    const [first] = shoppers.accepted;
    if (first) expect(await stack.client.tryOnce(first.request)).toEqual(first.answer);
    await standby.promote();
    await expectReady(stack, true);
    await shoppers.untilMore(10);
    await shoppers.stop();
    await expectKept(stack, shoppers.accepted);
    await expectEventuallyConsistent(stack);
  },
  300_000,
);
