import { afterAll, beforeAll } from 'vitest';
import { closing } from '../../support/cleanup.ts';
import type { DevServer } from '../../support/dev-server.ts';
import { cell } from '../matrix-case.ts';
import { openServer, openLane, type Lane } from './shared-stack.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';
import { expectKept, expectReady, expectRefused, startShoppers } from './shoppers.ts';
import { expectSound } from './consistent.ts';

/** A shop whose PostgreSQL and Temporal are its own, so that they can be killed. */
const { onClose, close } = closing();
const KILLS = 10;
let temporal: DevServer;
let postgres: OwnPostgres;
let lane: Lane;
beforeAll(async () => {
  temporal = await openServer(onClose);
  postgres = await startOwnPostgres({ onClose });
  const database = { url: postgres.url, drop: () => Promise.resolve() };
  lane = await openLane({ name: 'shop', server: temporal, onClose, database });
});
afterAll(close);

cell(
  'infra/postgres-kill',
  `PostgreSQL killed ${KILLS} times under load causes 503 until it is back, and no accepted order is lost`,
  async ({ fired }) => {
    const shoppers = startShoppers(lane);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await postgres.kill(kill % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
      fired(1);
      await expectRefused(lane);
      await postgres.start();
      await expectReady(lane, true);
      await shoppers.untilMore(1);
    }
    await shoppers.stop();
    await expectKept(lane, shoppers.accepted);
    await expectSound(lane);
  },
  420_000,
);

cell(
  'infra/temporal-down',
  'orders are accepted while Temporal is down after a kill, and all ship when it is back',
  async ({ fired }) => {
    const shoppers = startShoppers(lane);
    await shoppers.untilMore(5);
    await temporal.kill();
    fired(1);
    await shoppers.untilMore(10);
    await temporal.resume();
    await shoppers.stop();
    await expectKept(lane, shoppers.accepted);
    await expectSound(lane);
  },
  300_000,
);
