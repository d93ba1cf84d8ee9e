import { afterAll, beforeAll } from 'vitest';
import { createCleanup } from '../../support/cleanup.ts';
import { startDevServer, type DevServer } from '../../support/dev-server.ts';
import { test } from '../matrix-case.ts';
import { openTestStack, type TestStack } from './test-stack.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';
import { expectReady, expectRefused, startShoppers } from './shoppers.ts';

/** A shop with its own PostgreSQL and Temporal, so that they can be killed. */
const { onClose, close } = createCleanup();
const KILLS = 10;
let temporal: DevServer;
let postgres: OwnPostgres;
let stack: TestStack;
beforeAll(async () => {
  // Its tasks have Temporal's own time-out. A task that outlives a shorter one on a busy machine, while a
  // signal comes, can be completed by a state that has not seen the signal (SDK 1.24): see docs/failures.md.
  temporal = await startDevServer();
  onClose(() => temporal.close());
  postgres = await startOwnPostgres({ onClose });
  stack = await openTestStack({ onClose, server: temporal, databaseUrl: postgres.url });
});
afterAll(close);

test(`[infra/postgres-kill] PostgreSQL killed ${KILLS} times under load causes 503 until it is back, and no accepted order is lost`, async (proof) => {
  const shoppers = startShoppers(stack);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await postgres.kill(kill % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
    proof.fired(1);
    await expectRefused(stack);
    await postgres.start();
    await expectReady(stack, true);
    await shoppers.untilMore(1);
  }
  await shoppers.expectAllKept();
});

test('[infra/temporal-down] orders are accepted while Temporal is down after a kill, and all ship when it is back', async (proof) => {
  const shoppers = startShoppers(stack);
  await shoppers.untilMore(5);
  await temporal.kill();
  proof.fired(1);
  await shoppers.untilMore(10);
  await temporal.resume();
  await shoppers.expectAllKept();
});
