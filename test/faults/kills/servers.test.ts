import { afterAll, beforeAll, expect } from 'vitest';
import { cell } from '../cell.ts';
import { closing, openGround, openLane, type Ground, type Lane } from './lanes.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';
import { expectKept, expectReady, expectRefused, startShoppers } from './shoppers.ts';
import { expectSound } from './sound.ts';

/** A shop whose PostgreSQL and Temporal are its own, so that they can be killed. */
const { onClose, close } = closing();
const KILLS = 20;
/** Far above what it takes; far below a request that hangs. */
const FAST_MS = 20_000;
let ground: Ground;
let postgres: OwnPostgres;
let lane: Lane;
beforeAll(async () => {
  ground = await openGround([], onClose);
  postgres = await startOwnPostgres({ onClose });
  const database = { url: postgres.url, drop: () => Promise.resolve() };
  lane = await openLane({ ...ground, name: 'default', onClose, database });
});
afterAll(close);

cell(
  'infra/postgres-kill',
  `PostgreSQL killed ${KILLS} times under load causes 503 until it is back, and no accepted order is lost`,
  async ({ fired }) => {
    const shoppers = startShoppers(lane);
    const untilReadyMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      await postgres.kill(kill % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
      fired(1);
      const killedAtMs = performance.now();
      await expectRefused(lane);
      expect(performance.now() - killedAtMs).toBeLessThan(FAST_MS);
      await postgres.start();
      const upAtMs = performance.now();
      await expectReady(lane, true);
      untilReadyMs.push(Math.round(performance.now() - upAtMs));
      await shoppers.untilMore(1);
    }
    await shoppers.stop();
    process.stdout.write(`ready again after (ms): ${untilReadyMs.join(' ')}\n`);
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
    await ground.temporal.kill();
    fired(1);
    await shoppers.untilMore(10);
    await ground.temporal.resume();
    await shoppers.stop();
    await expectKept(lane, shoppers.accepted);
    await expectSound(lane);
  },
  300_000,
);
