import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { registerEventMetrics } from '../../api/operations/event-metrics.ts';
import { LOG_START } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { listOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop({ poolSize: 1 });

test('a metrics scrape within a second reuses the last result, and a later one reads the database again', async () => {
  let nowMs = 0;
  await ensureSubscription(shop.db, { name: 'audit', types: [], cursor: LOG_START });
  const registry = new Registry();
  registerEventMetrics(registry, { db: shop.db, streams: {}, nowMs: () => nowMs });
  const paused = async (): Promise<string> => {
    const text = await registry.metrics();
    return /^holdfast_subscription_paused\{subscription="audit"\} (\d)$/m.exec(text)?.[1] ?? 'none';
  };
  expect(await Promise.all([paused(), paused(), paused()])).toEqual(['0', '0', '0']);
  await shop.db.subscription.updateMany({ data: { paused: true } });
  nowMs = 999;
  expect(await paused()).toBe('0');
  nowMs = 1_000;
  expect(await paused()).toBe('1');
});

test('metrics and invariants are served while every connection of the pool is in use', async () => {
  const operator = { role: 'operator' } as const;
  expect((await shop.request('GET', '/v1/subscriptions', operator)).status).toBe(200);
  await shop.db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT 1`;
    const text = await (await shop.request('GET', '/metrics', { role: null })).text();
    expect(text).toContain('holdfast_dead_letters_open{source="delivery"} 0');
    const checked = await shop.request('GET', '/v1/invariants', operator);
    expect(checked.status).toBe(200);
    expect((await listOf(checked)).data.length).toBeGreaterThan(10);
  }, HELD);
});

/** A busy machine may take as long as the test may. */
const HELD = { timeout: 60_000 };
