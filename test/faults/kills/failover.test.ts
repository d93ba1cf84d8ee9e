import { afterAll, beforeAll, expect } from 'vitest';
import { createTcpProxy, type TcpProxy } from '../../../tools/chaos/tcp-proxy.ts';
import { closing } from '../../support/cleanup.ts';
import { cell } from '../matrix-case.ts';
import { openServer, openLane, type Lane } from './shared-stack.ts';
import { startReplicated, type OwnPostgres, type Standby } from './own-postgres.ts';
import { expectKept, expectReady, expectRefused, startShoppers } from './shoppers.ts';
import { expectSound } from './consistent.ts';

/** The address of the database is the proxy's, which leads to the primary, or to the standby. */
const { onClose, close } = closing();
let primary: OwnPostgres;
let standby: Standby;
let proxy: TcpProxy;
const target = { port: 0 };
let lane: Lane;
beforeAll(async () => {
  ({ primary, standby } = await startReplicated({ onClose }));
  target.port = primary.port;
  proxy = await createTcpProxy({ target });
  onClose(() => proxy.close());
  const url = new URL(primary.url);
  url.port = String(proxy.port);
  const server = await openServer(onClose);
  const database = { url: url.href, drop: () => Promise.resolve() };
  lane = await openLane({ name: 'shop', server, onClose, database });
});
afterAll(close);

cell(
  'infra/standby-failover',
  'a failover to the standby causes 503 until its promotion, and no accepted order is lost',
  async ({ fired }) => {
    const shoppers = startShoppers(lane);
    await shoppers.untilMore(10);
    await primary.kill('SIGKILL');
    fired(1);
    await expectRefused(lane);
    // Whoever is led to the standby too soon reads what was, and decides nothing by it.
    target.port = standby.port;
    await expectRefused(lane);
    const [first] = shoppers.accepted;
    if (first) expect(await lane.client.tryOnce(first.request)).toEqual(first.answer);
    await standby.promote();
    await expectReady(lane, true);
    await shoppers.untilMore(10);
    await shoppers.stop();
    await expectKept(lane, shoppers.accepted);
    await expectSound(lane);
  },
  300_000,
);
