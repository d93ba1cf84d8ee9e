import { afterAll, beforeAll } from 'vitest';
import { createCleanup } from '../../support/cleanup.ts';
import type { DevServer } from '../../support/dev-server.ts';
import { cell } from '../matrix-case.ts';
import { openServer, openTestStack, type TestStack } from './test-stack.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';
import { expectKept, expectReady, expectRefused, startShoppers } from './shoppers.ts';
import { expectEventuallyConsistent } from './consistent.ts';

/** A shop whose PostgreSQL and Temporal are its own, so that they can be killed. */
const { onClose, close } = createCleanup();
const KILLS = 10;
let temporal: DevServer;
let postgres: OwnPostgres;
let stack: TestStack;
beforeAll(async () => {
  temporal = await openServer(onClose);
  postgres = await startOwnPostgres({ onClose });
  const database = { url: postgres.url, drop: () => Promise.resolve() };
  stack = await openTestStack({ name: 'shop', server: temporal, onClose, database });
});
afterAll(close);

cell(
  'infra/postgres-kill',
  `PostgreSQL killed ${KILLS} times under load causes 503 until it is back, and no accepted order is lost`,
  async ({ fired }) => {
    const shoppers = startShoppers(stack);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await postgres.kill(kill % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
      fired(1);
      await expectRefused(stack);
      await postgres.start();
      await expectReady(stack, true);
      await shoppers.untilMore(1);
    }
    await shoppers.stop();
    await expectKept(stack, shoppers.accepted);
    await expectEventuallyConsistent(stack);
  },
  420_000,
);

cell(
  'infra/temporal-down',
  'orders are accepted while Temporal is down after a kill, and all ship when it is back',
  async ({ fired }) => {
    const shoppers = startShoppers(stack);
    await shoppers.untilMore(5);
    await temporal.kill();
    fired(1);
    await shoppers.untilMore(10);
    await temporal.resume();
    await shoppers.stop();
    await expectKept(stack, shoppers.accepted);
    await expectEventuallyConsistent(stack);
  },
  300_000,
);
