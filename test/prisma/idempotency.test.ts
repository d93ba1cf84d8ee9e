import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import {
  insertCompletedKey,
  keyClaimed,
  readKeyState,
  releaseKey,
  storeResponse,
  type KeyClaim,
} from '../../prisma/access/idempotency.ts';
import { newId } from '../../prisma/client/ids.ts';
import { purgeKeys } from '../../prisma/operations/retention.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { claimOf, runConcurrently, draftOf, useSeededDatabase } from './seeded-database.ts';

const RESPONSE = { status: 201, body: '{"id":"ord_1","weird":"  \\u00e4 "}' };

const shop = useSeededDatabase(20);

describe('an idempotency key', () => {
  test('an unused idempotency key is free', async () => {
    expect(await readKeyState(shop.db, claimOf())).toEqual({ kind: 'free' });
  });

  test('an idempotency key is in flight while its first attempt runs', async () => {
    const { claim } = await claimed();
    expect(await readKeyState(shop.db, claim)).toEqual({ kind: 'in_flight' });
  });

  test('a key reused for another request returns other_request before and after it is completed', async () => {
    const { claim, orderId } = await claimed();
    const other = { ...claim, fingerprint: 'two' };
    expect(await readKeyState(shop.db, other)).toEqual({ kind: 'other_request' });
    await store(orderId, RESPONSE);
    expect(await readKeyState(shop.db, other)).toEqual({ kind: 'other_request' });
  });

  test('a completed idempotency key returns the first response byte for byte', async () => {
    const { claim, orderId } = await claimed();
    await store(orderId, RESPONSE);
    await store(orderId, { status: 402, body: 'later' });
    expect(await readKeyState(shop.db, claim)).toEqual({
      kind: 'completed',
      orderId,
      response: RESPONSE,
    });
  });

  test('the same idempotency key of another client or scope is free', async () => {
    const { claim } = await claimed();
    expect(await readKeyState(shop.db, { ...claim, apiKeyId: 'else' })).toEqual({ kind: 'free' });
    expect(await readKeyState(shop.db, { ...claim, scope: 'refunds' })).toEqual({ kind: 'free' });
  });

  test('an idempotency key claimed in a rolled-back transaction stays free', async () => {
    const claim = claimOf();
    const work = shop.db.$transaction(async (tx) => {
      await tx.$queryRaw(keyClaimed({ ...claim, orderId: newId('order') }));
      throw new Error('no stock');
    });
    await expect(work).rejects.toThrow('no stock');
    expect(await readKeyState(shop.db, claim)).toEqual({ kind: 'free' });
  });
});

describe('an abandoned attempt', () => {
  test('one of twenty concurrent callers takes over an attempt whose lease has expired', async () => {
    const { claim, orderId } = await claimed();
    await endLease(claim);
    const states = await runConcurrently(20, 20, () => readKeyState(shop.db, claim));
    expect(states.filter((state) => state.kind === 'abandoned')).toEqual([
      { kind: 'abandoned', orderId },
    ]);
    expect(states.filter((state) => state.kind === 'in_flight')).toHaveLength(19);
  });

  test('an attempt that releases its lease can be taken over at once', async () => {
    const { claim, orderId } = await claimed();
    await releaseKey(shop.db, claim);
    expect(await readKeyState(shop.db, claim)).toEqual({ kind: 'abandoned', orderId });
  });

  test('an attempt that stored its response is replayed, not taken over', async () => {
    const { claim, orderId } = await claimed();
    await store(orderId, RESPONSE);
    await endLease(claim);
    await releaseKey(shop.db, claim);
    expect(await readKeyState(shop.db, claim)).toMatchObject({ kind: 'completed' });
  });
});

describe('concurrent requests with one key', () => {
  test('one of twenty concurrent statements claims the idempotency key', async () => {
    const claim = claimOf();
    const got = await runConcurrently(20, 20, () =>
      shop.db.$queryRaw<unknown[]>(keyClaimed({ ...claim, orderId: newId('order') })),
    );
    expect(got.flat()).toHaveLength(1);
  });

  test('twenty concurrent requests with one key open one order and take one hold', async () => {
    const sku = await shop.stock(100);
    const claim = claimOf();
    const draft = draftOf([{ sku, quantity: 1 }]);
    const outcomes = await runConcurrently(20, 20, () => openOrder(shop.db, claim, draft));
    expect(outcomes.filter((each) => each.kind === 'opened')).toHaveLength(1);
    expect(outcomes.filter((each) => each.kind === 'key_taken')).toHaveLength(19);
    expect(await shop.db.stock.findUnique({ where: { sku } })).toMatchObject({ held: 1 });
  });

  test('one of twenty concurrent transactions stores its response, and the others fail with KeyTakenError', async () => {
    const claim = claimOf();
    const outcomes = await runConcurrently(20, 20, () =>
      shop.db
        .$transaction((tx) => insertCompletedKey(tx, claim, RESPONSE))
        .then(() => 'done', String),
    );
    expect(outcomes.toSorted()).toEqual([...Array(19).fill('KeyTakenError'), 'done']);
    expect(await readKeyState(shop.db, claim)).toEqual({
      kind: 'completed',
      orderId: null,
      response: RESPONSE,
    });
  });
});

test('idempotency keys are purged in batches when they are as old as asked, and the others are kept', async () => {
  const apiKeyId = randomUUID();
  const old = [
    await claimed({ apiKeyId }),
    await claimed({ apiKeyId }),
    await claimed({ apiKeyId }),
  ];
  const kept = await claimed({ apiKeyId });
  await shop.db.idempotencyKey.updateMany({
    where: { key: { in: old.map(({ claim }) => claim.key) } },
    data: { createdAt: new Date(Date.now() - 31 * 86_400_000) },
  });
  const purge = { days: 30, limit: 2 };
  expect(await purgeKeys(shop.db, purge)).toBe(2);
  expect(await purgeKeys(shop.db, purge)).toBe(1);
  expect(await purgeKeys(shop.db, purge)).toBe(0);
  expect(await readKeyState(shop.db, kept.claim)).toEqual({ kind: 'in_flight' });
});

async function claimed(part: Partial<KeyClaim> = {}) {
  const claim = claimOf(part);
  const orderId = newId('order');
  await shop.db.$queryRaw(keyClaimed({ ...claim, orderId }));
  return { claim, orderId };
}

function store(orderId: OrderId, response: typeof RESPONSE): Promise<void> {
  return shop.db.$transaction((tx) => storeResponse(tx, orderId, response));
}

async function endLease({ key }: KeyClaim): Promise<void> {
  const leaseUntil = new Date(Date.now() - 1000);
  await shop.db.idempotencyKey.updateMany({ where: { key }, data: { leaseUntil } });
}
