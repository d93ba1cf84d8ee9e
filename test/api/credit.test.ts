import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { newId } from '../../prisma/client/ids.ts';
import { findBalances } from '../../prisma/credit/accounts.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { useShop, type RequestOptions } from '../support/shop.ts';

const shop = useShop();

describe('the calls of store credit', () => {
  /** A customer with the smallest credit. */
  async function ownerOf() {
    const id = newId('customer');
    await shop.db.customer.create({ data: { id, email: `${id}@example.com`, name: 'Ada' } });
    expect((await post(id, { amount_minor: 1 })).status).toBe(201);
    return { id };
  }
  const post = (id: string, body: object, options: RequestOptions = {}) =>
    shop.request('POST', `/v1/customers/${id}/credit`, {
      role: 'operator',
      key: randomUUID(),
      body: { amount_minor: 500, currency: 'EUR', reason: 'late', ...body },
      ...options,
    });

  test('a grant is made once per key, and is in the balance, the ledger and the audit log', async () => {
    const { id } = await ownerOf();
    const key = randomUUID();
    const first = await post(id, { expires_at: '2126-01-01T00:00:00+01:00' }, { key });
    const again = await post(id, { expires_at: '2126-01-01T00:00:00+01:00' }, { key });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(await again.text()).toBe(await first.text());
    await post(id, { amount_minor: 7, currency: 'USD' });
    const balance = await shop.request('GET', `/v1/customers/${id}/balance`);
    expect(await balance.json()).toEqual({
      object: 'balance',
      customer_id: id,
      balances: [
        { amount_minor: 501, currency: 'EUR' },
        { amount_minor: 7, currency: 'USD' },
      ],
    });
    const page = async (query: string) =>
      listOf(await shop.request('GET', `/v1/customers/${id}/credit${query}`, { role: 'operator' }));
    const newest = await page('?limit=2');
    expect(newest).toMatchObject({
      data: [
        { amount_minor: 7, expires_at: null, reason: 'late' },
        { amount_minor: 500, expires_at: '2125-12-31T23:00:00.000Z' },
      ],
      has_more: true,
    });
    const rest = await page(`?starting_after=${String(newest.data.at(-1)?.['id'])}`);
    expect(rest).toMatchObject({ data: [{ amount_minor: 1 }], has_more: false });
    const audited = { action: 'credit.granted', subject: id };
    expect(await shop.db.auditEntry.count({ where: audited })).toBe(3);
  });

  test('grants at once never raise a balance above the largest amount', async () => {
    const { id } = await ownerOf();
    const grants = Array.from({ length: 10 }, () => post(id, { amount_minor: 400_000_000 }));
    const responses = await Promise.all(grants);
    const refused = responses.filter(({ status }) => status === 422);
    expect(refused).toHaveLength(5);
    for (const response of refused) {
      expect((await problemOf(response)).errors).toMatchObject([{ pointer: '#/amount_minor' }]);
    }
    expect(await findBalances(shop.db, id)).toEqual([
      { amountMinor: 2_000_000_001, currency: 'EUR' },
    ]);
  });

  test.each([
    ['of nothing', { amount_minor: 0 }, '#/amount_minor'],
    ['above the largest balance', { amount_minor: 2_147_483_647 }, '#/amount_minor'],
    ['that has expired', { expires_at: '2020-01-01T00:00:00Z' }, '#/expires_at'],
    ['in no currency', { currency: 'XXX' }, '#/currency'],
  ])('a grant %s is refused, and the balance stays', async (_, body, pointer) => {
    const owner = await ownerOf();
    const response = await post(owner.id, body);
    expect(response.status).toBe(422);
    expect((await problemOf(response)).errors).toMatchObject([{ pointer }]);
    expect(await findBalances(shop.db, owner.id)).toEqual([{ amountMinor: 1, currency: 'EUR' }]);
  });

  test('a storefront cannot grant credit, and an unknown customer has no credit to read', async () => {
    const { id } = await ownerOf();
    expect((await post(id, {}, { role: 'storefront' })).status).toBe(403);
    expect((await post(newId('customer'), {})).status).toBe(404);
    const unknown = await shop.request('GET', `/v1/customers/${newId('customer')}/balance`);
    expect((await problemOf(unknown)).code).toBe('customer_not_found');
  });

  test('an entry of the ledger cannot be changed or deleted, only its reason erased', async () => {
    const { id } = await ownerOf();
    const write = (sql: string) => shop.db.$executeRawUnsafe(sql);
    const where = `WHERE customer_id = '${id}'`;
    await expect(write(`UPDATE credit_entries SET amount_minor = 2 ${where}`)).rejects.toThrow();
    await expect(write(`UPDATE credit_entries SET reason = 'x' ${where}`)).rejects.toThrow();
    await expect(write(`DELETE FROM credit_entries ${where}`)).rejects.toThrow();
    expect(await write(`UPDATE credit_entries SET reason = 'erased' ${where}`)).toBe(1);
  });
});
