import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect } from 'vitest';
import { becomesTrue, ended, hasEnded, killGroup, launch } from '../../../local/stack/commands.ts';
import { migrate } from '../../../local/stack/migrate.ts';
import { freePort } from '../../../local/stack/ports.ts';
import { createPostgres, isPostgresUp, postgresUrl } from '../../../local/stack/postgres.ts';
import { eventually } from '../../support/eventually.ts';
import { expectShipped } from '../../support/expectations.ts';
import { cell } from '../cell.ts';
import { newRequest, orderIdIn, type Answered, type OrderRequest } from './client.ts';
import { rests } from './fates.ts';
import { closing, openGround, openLane, type Ground, type Lane, type OnClose } from './lanes.ts';
import { expectDelivered, expectSound } from './sound.ts';

/** A shop whose PostgreSQL and Temporal are its own, so that they can be killed. */
const { onClose, close } = closing();
const KILLS = 20;
/** A key whose try died is held for seconds: one of them is always free to place the next order. */
const SHOPPERS = 4;
const BACK_WITHIN = { timeoutMs: 60_000, everyMs: 50 };
/** Far above what it takes; far below a request that hangs. */
const FAST_MS = 10_000;
let ground: Ground;
let postgres: KillablePostgres;
let lane: Lane;
beforeAll(async () => {
  ground = await openGround([], onClose);
  postgres = await startPostgres(onClose);
  const database = { url: postgres.url, drop: () => Promise.resolve() };
  lane = await openLane({ ...ground, name: 'default', onClose, database });
});
afterAll(close);

cell(
  'infra/postgres-kill',
  `killed ${KILLS} times under load: 503 meanwhile, ready again, no accepted order lost`,
  async ({ fired }) => {
    const shopper = startShopper();
    const untilReadyMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = shopper.accepted.length;
      await postgres.kill(kill % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
      fired(1);
      await refusedFast();
      await postgres.start();
      const upAtMs = performance.now();
      await eventually(() => ready(true), BACK_WITHIN);
      untilReadyMs.push(Math.round(performance.now() - upAtMs));
      await eventually(() => expect(shopper.accepted.length).toBeGreaterThan(before), BACK_WITHIN);
    }
    await shopper.stop();
    process.stdout.write(`ready again after (ms): ${untilReadyMs.join(' ')}\n`);
    await expectKept(shopper.accepted);
    await expectSound(lane);
  },
  420_000,
);

cell(
  'infra/temporal-down',
  'killed with orders in flight: more are accepted meanwhile, and all ship when it is back',
  async ({ fired }) => {
    const shopper = startShopper();
    const accepted = (count: number) =>
      eventually(() => expect(shopper.accepted.length).toBeGreaterThanOrEqual(count), BACK_WITHIN);
    await accepted(5);
    await ground.temporal.kill();
    fired(1);
    await accepted(shopper.accepted.length + 10);
    await ground.temporal.resume();
    await shopper.stop();
    await expectKept(shopper.accepted);
    await expectSound(lane);
  },
  300_000,
);

interface Accepted {
  readonly request: OrderRequest;
  readonly answer: Answered;
}

/** Places one order after the other, each under its key until it is settled. */
function startShopper(): { readonly accepted: Accepted[]; stop(): Promise<void> } {
  const accepted: Accepted[] = [];
  let stopping = false;
  const shop = async (): Promise<void> => {
    while (!stopping) {
      const request = newRequest({ quantity: 1 });
      const answer = await lane.client.place(request);
      expect(answer.status, answer.text).toBe(201);
      accepted.push({ request, answer });
    }
  };
  const shopping = Promise.all(Array.from({ length: SHOPPERS }, shop));
  // Its failure is seen where it is stopped.
  shopping.catch(() => undefined);
  return {
    accepted,
    async stop() {
      stopping = true;
      await shopping;
    },
  };
}

/** Each still has its answer, ships, and was charged once. */
async function expectKept(accepted: readonly Accepted[]): Promise<void> {
  for (const { request, answer } of accepted) {
    const orderId = orderIdIn(answer);
    expect(await lane.client.place(request)).toEqual(answer);
    await rests(lane, orderId, 'shipped');
    await eventually(() => expectShipped(lane, orderId), BACK_WITHIN);
    await expectDelivered(lane, orderId);
  }
}

/** Without its database the API says so at once, and says so to whoever sends it requests. */
async function refusedFast(): Promise<void> {
  const startedAtMs = performance.now();
  const answer = await lane.client.tryOnce(newRequest());
  expect(answer?.status, answer?.text).toBe(503);
  expect(performance.now() - startedAtMs).toBeLessThan(FAST_MS);
  await eventually(() => ready(false), BACK_WITHIN);
}

async function ready(wanted: boolean): Promise<void> {
  const answer = await fetch(`${lane.app.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
  await answer.body?.cancel();
  expect(answer.status).toBe(wanted ? 200 : 503);
}

interface KillablePostgres {
  readonly url: string;
  start(): Promise<void>;
  /** SIGQUIT is PostgreSQL's immediate stop. Gone when it resolves. */
  kill(signal: 'SIGKILL' | 'SIGQUIT'): Promise<void>;
}

/** A server of its own that keeps what it acknowledged, with an empty shop in it. */
async function startPostgres(atEnd: OnClose): Promise<KillablePostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-postgres-'));
  atEnd(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
  const cluster = await createPostgres({ dataDir: join(dir, 'data'), durable: true });
  await cluster.initialise();
  const port = await freePort();
  const url = postgresUrl(port, 'holdfast');
  let server: ChildProcess | null = null;
  const killIt = (): void => killGroup(server?.pid, 'SIGKILL');
  process.once('exit', killIt);
  const start = async (): Promise<void> => {
    const started = launch(cluster.command(port), { logFile: join(dir, 'log') });
    server = started;
    const limits = { timeoutMs: 60_000, everyMs: 20, alive: () => !hasEnded(started) };
    if (!(await becomesTrue(() => isPostgresUp(url), limits))) throw new Error('not started');
  };
  const kill = async (signal: 'SIGKILL' | 'SIGQUIT'): Promise<void> => {
    if (!server) return;
    if (signal === 'SIGKILL') killGroup(server.pid, signal);
    else server.kill(signal);
    await ended(server);
  };
  atEnd(async () => {
    await kill('SIGKILL');
    process.off('exit', killIt);
  });
  await start();
  await migrate({ databaseUrl: url });
  return { url, start, kill };
}
