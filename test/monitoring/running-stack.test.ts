import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { launch, stop } from '../../local/stack/commands.ts';
import { openSystem } from '../e2e/system.ts';
import { createApi, placeOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { read } from '../support/documents.ts';
import { readRequest, startHttpServer } from '../support/http-server.ts';
import { metricsIn, unknownMetrics } from '../support/metric-names.ts';
import { choosePort } from '../support/ports.ts';
import { BUILD_TIMEOUT_MS, findPromtool, testRules, type Promtool } from '../support/promtool.ts';
import { makeDir, serverLog } from '../support/run-files.ts';
import { createScrapes, type Scrapes } from '../support/scrape.ts';
import { useOpened } from '../support/use-opened.ts';

/** The alert rules on samples of running processes that are in the trouble the alerts are for. */
const system = useOpened(() => openSystem({ env: { BREAKER_PROBE_AFTER_MS: '2000' } }));

let promtool: Promtool | null = null;
let scrapes: Scrapes;
beforeAll(async () => {
  promtool = await findPromtool();
  scrapes = createScrapes([
    { instance: 'api', url: system.api.url },
    { instance: 'worker', url: system.worker.url },
  ]);
  // Time passes for events too.
  await system.db.$executeRaw`ALTER TABLE events DISABLE TRIGGER events_append_only`;
}, BUILD_TIMEOUT_MS);

const WITHIN = { timeoutMs: 120_000 };
const BREAKER = 'holdfast_breaker_state{breaker="payments.authorize"}';
const CLOCK = 'holdfast_maintenance_age_seconds{name="test clock"}';
const OPEN = 2;
const CLOSED = 0;
const TROUBLE = ['BreakerOpen', 'OrderRetryingLong', 'SubscriptionLagGrowing', 'SweepMissing'];

test('an order that needs a person is posted to a chat by the receiver in the documentation', async () => {
  const chat = await startChat();
  const port = await choosePort();
  const url = `http://127.0.0.1:${port}/`;
  const types = ['order.needs_attention'];
  const { body } = await system.operate('POST', '/v1/webhook-endpoints', { url, types });
  const { secret } = z.object({ secret: z.string() }).parse(body);
  await startReceiver({
    WEBHOOK_SECRET: secret,
    CHAT_URL: chat.url,
    CONSOLE_URL: `${system.api.url}/console`,
    PORT: String(port),
  });
  const forged = { method: 'POST', body: JSON.stringify({ data: { order_id: 'ord_1' } }) };
  await eventually(async () => expect((await fetch(url, forged)).status).toBe(400));

  system.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
  system.sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'refuse' });
  const id = await place();
  await eventually(() => expect(chat.texts.length).toBeGreaterThan(0), WITHIN);
  expect(chat.texts[0]).toMatch(`Order ${id} needs a person (voidOrRefundPayment: `);
  expect(chat.texts[0]).toContain(`${system.api.url}/console/orders/${id}`);
  system.sandbox.faults.clear();
});

test('a stuck order, a growing lag, an open breaker and a missing sweep raise their alerts, and their end ends them', async (context) => {
  if (promtool === null) return context.skip('there is no promtool');
  await untilShipped(await place());
  await sweepOnce();
  await minutesPass(3);
  const healthyAt = scrapes.count() - 1;

  const retried = await breakAll();
  await minutesPass(20);
  const brokenAt = scrapes.count() - 1;

  await repairAll(retried);
  await minutesPass(6);
  const repairedAt = scrapes.count() - 1;

  const at = (minute: number): string => `${minute}m`;
  const samples = {
    name: 'a running stack',
    interval: '1m',
    series: scrapes.series(1),
    only: TROUBLE,
    firing: { [at(healthyAt)]: [], [at(brokenAt)]: TROUBLE, [at(repairedAt)]: [] },
  };
  expect(await testRules(promtool, [samples])).toContain('SUCCESS');
});

test('every metric of the alert rules and of the dashboard is one that the running processes have', async () => {
  await scrapes.scrape();
  for (const file of ['docs/monitoring/alerts.yml', 'docs/monitoring/dashboard.json']) {
    const named = metricsIn(read(file));
    expect(named.length).toBeGreaterThan(15);
    expect(unknownMetrics(named, scrapes.types), file).toEqual([]);
  }
});

/**
 * The warehouse is down, so an order retries; the payment provider is down, so its breaker opens; the
 * worker is gone, so nothing is delivered and no sweep runs. Gives the order.
 */
async function breakAll(): Promise<string> {
  system.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
  const id = await place();
  await eventually(async () => expect(await metric('holdfast_steps_retrying{')).toBe(1), WITHIN);
  await system.worker.stop();
  system.sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode: 'down' });
  await eventually(async () => {
    await placeOrder(createApi(system.api.url));
    expect(await metric(BREAKER)).toBe(OPEN);
  }, WITHIN);
  return id;
}

async function repairAll(retried: string): Promise<void> {
  system.sandbox.faults.clear();
  await system.worker.start();
  await eventually(async () => {
    await placeOrder(createApi(system.api.url));
    expect(await metric(BREAKER)).toBe(CLOSED);
  }, WITHIN);
  await untilShipped(retried);
  await sweepOnce();
}

async function place(): Promise<string> {
  const { status, body } = await system.place();
  expect(status).toBe(201);
  return z.object({ id: z.string() }).parse(body).id;
}

async function untilShipped(id: string): Promise<void> {
  await eventually(async () => {
    expect(await system.db.order.findUnique({ where: { id } })).toMatchObject({
      status: 'shipped',
    });
  }, WITHIN);
}

async function sweepOnce(): Promise<void> {
  const before = new Date();
  await eventually(
    async () => {
      await system.temporal.client.schedule.getHandle('sweep').trigger();
      const where = { name: 'sweep', finishedAt: { gt: before } };
      expect(await system.db.maintenanceRun.count({ where })).toBe(1);
    },
    { ...WITHIN, everyMs: 1_000 },
  );
}

/**
 * Reads the metrics in each of so many minutes. What has a time in the database is moved back for that,
 * and the process reads the database again only after a second: so the clock is one of its metrics, too.
 */
async function minutesPass(minutes: number): Promise<void> {
  const { db } = system;
  await db.$executeRaw`
    INSERT INTO maintenance_runs (name, counts) VALUES ('test clock', '{}')
    ON CONFLICT (name) DO UPDATE SET finished_at = now()`;
  for (let minute = 1; minute <= minutes; minute += 1) {
    await db.$executeRaw`UPDATE events SET time = time - interval '1 minute'`;
    await db.$executeRaw`
      UPDATE step_attempts SET first_failed_at = first_failed_at - interval '1 minute'`;
    await db.$executeRaw`
      UPDATE maintenance_runs SET finished_at = finished_at - interval '1 minute'`;
    await eventually(async () => {
      expect(await metric(CLOCK)).toBeGreaterThanOrEqual(minute * 60);
    });
    await scrapes.scrape();
  }
}

/** The value of the API's metric; NaN when there is none. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${system.api.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(name));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

/** A chat's incoming webhook. */
async function startChat(): Promise<{ readonly url: string; readonly texts: readonly string[] }> {
  const texts: string[] = [];
  const server = await startHttpServer(async (request, response) => {
    const { body } = await readRequest(request);
    texts.push(z.object({ text: z.string() }).parse(JSON.parse(body)).text);
    response.writeHead(200).end('ok');
  });
  onTestFinished(server.close);
  return { url: server.url, texts };
}

/** Runs the code of the documentation, as it is there. */
async function startReceiver(env: Readonly<Record<string, string>>): Promise<void> {
  const [, code = ''] = /```js\n(.*?)```/s.exec(read('docs/monitoring/chat.md')) ?? [];
  const file = join(makeDir('chat'), 'chat.mjs');
  writeFileSync(file, code);
  const child = launch(
    { file: process.execPath, args: [file], env },
    { logFile: serverLog('chat') },
  );
  onTestFinished(() => stop(child, { signal: 'SIGTERM', timeoutMs: 5_000 }));
}
