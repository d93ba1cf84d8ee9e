import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { NewDeadLetter } from '../../prisma/events/dead-letters.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf } from '../support/responses.ts';
import { placedOrder } from '../support/orders.ts';
import { openShopForTest, useShop } from '../support/shop.ts';
import { deadLetterFixture } from './dead-letter-fixture.ts';

const shop = useShop();
let orderId: OrderId;
beforeAll(async () => {
  orderId = await placedOrder(shop);
});
beforeEach(async () => {
  await shop.db.deadLetter.deleteMany({});
});

const deadLetter = (given: Partial<NewDeadLetter>, { db } = shop) =>
  deadLetterFixture(db, orderId, given);

describe('POST /v1/dead-letters/redrive', () => {
  const fingerprint = 'analytics: HTTP N';
  const many = (body: object) =>
    shop.request('POST', '/v1/dead-letters/redrive', { role: 'operator', body });
  const write = async (count: number, where = shop) => {
    for (let n = 0; n < count; n += 1) await deadLetter({ error: `HTTP ${500 + n}` }, where);
  };
  const statusCounts = async () => {
    const rows = await shop.db.deadLetter.groupBy({ by: 'status', _count: { _all: true } });
    return Object.fromEntries(rows.map(({ status, _count }) => [status, _count._all]));
  };

  test('a bulk redrive as a dry run returns the number of matching dead letters and changes nothing', async () => {
    await write(3);
    await deadLetter({ error: 'another cause' });
    const response = await many({ fingerprint, rate: 10, dry_run: true });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      object: 'redrive',
      fingerprint,
      rate: 10,
      dry_run: true,
      matching: 3,
      redriving: 3,
    });
    expect(await statusCounts()).toEqual({ open: 4 });
  });

  test('a bulk redrive redrives each dead letter of one fingerprint once and no faster than its rate', async () => {
    await write(10);
    await deadLetter({ error: 'another cause' });
    const startedAt = performance.now();
    expect((await many({ fingerprint, rate: 20, note: 'mended' })).status).toBe(202);
    const again = await problemOf(await many({ fingerprint, rate: 20 }));
    expect(again.code).toBe('redrive_in_progress');
    await eventually(() => expect(shop.deliveries.deliveries).toHaveLength(10));
    expect(performance.now() - startedAt).toBeGreaterThan(440);
    const events = new Set(shop.deliveries.deliveries.map(({ eventId }) => eventId));
    expect(events.size).toBe(10);
    expect(await statusCounts()).toEqual({ redriven: 10, open: 1 });
  });

  test('a bulk redrive goes on after dead letters that fail, which stay open and are logged by id', async () => {
    shop.logged.length = 0;
    await write(3);
    const broken = await deadLetter({ eventId: null, error: 'HTTP 500' });
    await write(3);
    await many({ fingerprint, rate: 500 });
    await eventually(() => expect(shop.logged.join()).toContain('dead letters redriven'));
    expect(shop.deliveries.deliveries).toHaveLength(6);
    expect(await statusCounts()).toEqual({ redriven: 6, open: 1 });
    const failed = shop.logged.map((line) => JSON.parse(line)).filter(({ loop }) => loop);
    expect(failed).toMatchObject([{ loop: 'bulk_redrive', item: broken }]);
  });

  test('a bulk redrive while Temporal is unavailable ends and leaves every dead letter open', async () => {
    await write(40);
    shop.checkouts.reachable = false;
    await many({ fingerprint, rate: 500 });
    await eventually(async () => {
      const next = await many({ fingerprint, rate: 1, dry_run: true });
      expect(await next.json()).toMatchObject({ matching: 40 });
      expect(shop.logged.join()).toContain('dead letters redriven');
    });
    expect(shop.deliveries.deliveries).toEqual([]);
  });

  test('a shutdown during a bulk redrive starts no further delivery and leaves the rest open', async () => {
    const own = await openShopForTest();
    await write(30, own);
    const body = { fingerprint, rate: 20 };
    await own.request('POST', '/v1/dead-letters/redrive', { role: 'operator', body });
    await eventually(() => expect(own.deliveries.deliveries.length).toBeGreaterThan(1));
    await own.services.redriver.drain();
    const open = await own.db.deadLetter.count({ where: { status: 'open' } });
    expect(open).toBe(30 - own.deliveries.deliveries.length);
    expect(open).toBeGreaterThan(0);
  });

  test.each([
    { fingerprint },
    { fingerprint, rate: 0 },
    { fingerprint, rate: 501 },
    { fingerprint: '', rate: 1 },
    { rate: 1 },
  ])('a bulk redrive with the body %j returns 422', async (body) => {
    expect((await many(body)).status).toBe(422);
  });
});
