import { exec } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { environment } from '../../config.ts';
import { eraseOutdated } from '../../activities/operations/purge.ts';
import { createNotificationActivities } from '../../activities/checkout/notification.ts';
import { ERASED } from '../../domain/erasure.ts';
import type { OrderId } from '../../domain/ids.ts';
import { orderViewSchema } from '../../api/schemas/orders.ts';
import { erasureSchema } from '../../api/schemas/persons.ts';
import { DEFAULT_RETENTION } from '../../domain/retention.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { markProcessed, storeMessage } from '../../prisma/events/inbox.ts';
import { expireCredit, listExpiring } from '../../prisma/credit/expiry.ts';
import { eraseOrder } from '../../prisma/privacy/erase.ts';
import { erasePerson } from '../../services/persons.ts';
import { CANARIES, DECLINED_CARD, GOOD_CARD, PERSON, canaryOrder } from '../support/client.ts';
import { read } from '../support/documents.ts';
import { expectInvariants } from '../support/invariants.ts';
import { placedOrder, shippedOrder } from '../support/orders.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { runScript } from '../local/scripts.ts';
import { useShop } from '../support/shop.ts';
import { whileLocked } from '../support/while-locked.ts';
import { columnsWith, PLANTED, plantEverywhere } from './person-planting.ts';
import { refundCalls } from './refund-calls.ts';

const shop = useShop();
const { refund, settle } = refundCalls(shop);

/** All that is theirs, the number of their parcel too. */
const THEIRS = [...CANARIES, 'TP-1'];
const BY = { apiKeyId: 'key_operator', correlationId: 'asked' } as const;
/** As a client that does not know better chooses it. */
const KEY = `${PERSON.email}/first-order`;

const post = (path: string, email: string) =>
  shop.request('POST', `/v1/persons/${path}`, { role: 'operator', body: { email } });

async function erase(email: string) {
  const response = await post('erase', email);
  expect(response.status, await response.clone().text()).toBe(200);
  return erasureSchema.parse(await response.json());
}

const show = async (id: string) =>
  orderViewSchema.parse(
    await (await shop.request('GET', `/v1/orders/${id}`, { role: 'operator' })).json(),
  );

/** A settled order: declined, so it needs no provider. */
async function settledOrder(email: string): Promise<OrderId> {
  const customer = { email, name: 'Somebody' };
  const response = await shop.place({ customer, payment_method: DECLINED_CARD });
  expect(response.status).toBe(402);
  const { id } = await shop.db.order.findFirstOrThrow({
    where: { customerEmail: email },
    orderBy: { id: 'desc' },
  });
  // oxlint-disable-next-line typescript/consistent-type-assertions -- written as one
  return id as OrderId;
}

describe('a person with a shipped and refunded order', () => {
  let orderId: OrderId;
  let planted: readonly string[];

  test('a person is exported with every value that the database holds of them', async () => {
    const { lines: _lines, ...person } = canaryOrder();
    orderId = await shippedOrder(shop, person, { key: KEY });
    expect((await refund(orderId, { amount_minor: 100 })).status).toBe(202);
    await settle(orderId, 'succeeded');
    planted = await plantEverywhere(shop.databaseUrl, orderId);
    expect(planted.length).toBeGreaterThan(12);
    const response = await post('export', ` ${PERSON.email.toUpperCase()} `);
    expect(response.status).toBe(200);
    const document = await response.text();
    const asGiven = [...Object.values(PERSON), GOOD_CARD, 'TP-1'];
    for (const value of [...asGiven, ...planted]) expect(document).toContain(value);
    const exported = await shop.db.auditEntry.findFirstOrThrow({
      where: { action: 'customer.exported' },
    });
    expect(exported).toMatchObject({ actor: 'operator/key_local_operator', data: {} });
  });

  test('nothing of an erased person is left in any column of the database', async () => {
    const before = await columnsWith(shop.databaseUrl, [...THEIRS, PLANTED]);
    expect(before).toEqual(expect.arrayContaining(planted.map((each) => each.split(' ').at(-1))));
    const erased = await erase(` ${PERSON.email.toUpperCase()} `);
    expect(erased).toMatchObject({ object: 'erasure', orders: 1, complete: true });
    expect(erased.credit_left).toEqual([{ amount_minor: 500, currency: 'EUR' }]);
    const left = await columnsWith(shop.databaseUrl, [...THEIRS, PLANTED]);
    expect(left).toEqual([]);
    const record = await shop.db.auditEntry.findFirstOrThrow({
      where: { action: 'customer.erased' },
    });
    expect(record).toMatchObject({
      actor: 'operator/key_local_operator',
      subject: erased.customer_id,
      data: { orders: 1 },
    });
  });

  test('the money, stock and every other invariant hold after the erasure', async () => {
    await expectInvariants(shop.db);
    expect(await shop.db.payment.findUniqueOrThrow({ where: { orderId } })).toMatchObject({
      capturedMinor: 2_400,
      refundedMinor: 100,
    });
  });

  test('an erased order is shown with the word erased, its country, and the time', async () => {
    const order = await show(orderId);
    expect(order).toMatchObject({
      status: 'shipped',
      total_minor: 2_400,
      erased_at: expect.any(String),
      customer: { email: ERASED, name: ERASED, phone: null, sms_consent: false },
      shipment: { tracking_number: ERASED, tracking: null },
      warnings: [],
    });
    expect(order.shipping_address).toEqual({ line1: ERASED, city: ERASED, country: 'DE' });
    expect(order.timeline?.at(-1)).toMatchObject({
      type: 'order.erased',
      data: { actor: 'key_local_operator' },
    });
    const dead = await shop.request('GET', `/v1/dead-letters?order_id=${orderId}`, {
      role: 'operator',
    });
    expect(dead.status).toBe(200);
  });

  test('the confirmation of an erased order is 404 and says to read the order', async () => {
    const response = await shop.request('POST', `/v1/orders/${orderId}/confirm`);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status: 404, code: 'not_found' });
    expect(problem.detail).toContain('Read the order');
  });

  test('a repeated request of an erased order is refused and places no second order', async () => {
    const orders = await shop.db.order.count();
    const { lines: _lines, ...person } = canaryOrder();
    const lines = [{ sku: 'mug-white', quantity: 2 }];
    const response = await shop.place({ ...person, lines }, KEY);
    expect((await problemOf(response)).code).toBe('idempotency_key_reused');
    expect(await shop.db.order.count()).toBe(orders);
  });

  test('an erasure that was complete changes nothing when it is repeated', async () => {
    const log = await shop.db.auditEntry.count();
    const again = {
      object: 'erasure',
      customer_id: null,
      orders: 0,
      credit_left: [],
      complete: true,
    };
    expect(await erase(PERSON.email)).toEqual(again);
    expect(await shop.db.auditEntry.count()).toBe(log);
    const nobody = await (await post('export', PERSON.email)).json();
    expect(nobody).toMatchObject({ customer: null, orders: [], messages: [], jobs: [] });
  });

  test('an erased order is notified no more, and a late message about it keeps nothing', async () => {
    const { notifyCustomer } = createNotificationActivities({
      ...shop.gateways,
      db: shop.db,
      warehouseCallbackUrl: '',
    });
    const mails = shop.sandbox.inbox.mails().length;
    await notifyCustomer({ orderId, notification: 'shipped' });
    expect(shop.sandbox.inbox.mails().length).toBe(mails);
    const message = { source: 'payments', id: 'evt_late', type: 't', orderId } as const;
    await storeMessage(shop.db, { ...message, payload: { receipt_email: PERSON.email } });
    await markProcessed(shop.db, { ...message, ids: [message.id] }, 'ignored');
    expect(await columnsWith(shop.databaseUrl, [PERSON.email])).toEqual([]);
  });

  test('the log of erasures and exports names no person', () => {
    expect(shop.logged.join()).toContain('/v1/persons/erase');
    for (const value of THEIRS) expect(shop.logged.join()).not.toContain(value);
  });
});

describe('an erasure', () => {
  test('an erasure is refused while an order or a refund is under way, and names the orders', async () => {
    const customer = { email: 'busy@example.com', name: 'Busy' };
    const settled = await settledOrder(customer.email);
    const moving = await placedOrder(shop, { customer });
    const refunding = await shippedOrder(shop, { customer });
    expect((await refund(refunding)).status).toBe(202);
    const problem = await problemOf(await post('erase', customer.email));
    expect(problem).toMatchObject({ code: 'orders_under_way', order_ids: [moving, refunding] });
    expect(problem.detail).toContain(moving);
    expect((await show(settled)).customer.email).toBe(customer.email);
  });

  test('an erasure that was interrupted is continued by the next one', async () => {
    const email = 'interrupted@example.com';
    const [first] = [
      await settledOrder(email),
      await settledOrder(email),
      await settledOrder(email),
    ];
    expect(await erasePerson(shop, { email, by: BY, withinMs: -1 })).toMatchObject({
      kind: 'incomplete',
      orders: 0,
    });
    expect(await eraseOrder(shop.db, first, BY)).toBe(true);
    expect(await eraseOrder(shop.db, first, BY)).toBe(false);
    expect(await erase(email)).toMatchObject({ orders: 2, complete: true });
    expect(await shop.db.customer.count({ where: { email } })).toBe(0);
  });

  test('an order placed during an erasure of its customer gets a customer of its own', async () => {
    const customer = { email: 'returning@example.com', name: 'Returning' };
    await eraseOrder(shop.db, await settledOrder(customer.email), BY);
    const id = await whileLocked(shop.databaseUrl, {
      first: `UPDATE customers SET email = NULL, name = 'erased', phone = NULL
        WHERE email = '${customer.email}'`,
      meanwhile: async () => (await orderOf(await shop.place({ customer }))).id,
    });
    const order = await shop.db.order.findUniqueOrThrow({
      where: { id },
      include: { customer: true },
    });
    expect(order.customer).toMatchObject(customer);
  });

  test('an erasure waits for an order that is being placed, and is then refused', async () => {
    const email = 'quick@example.com';
    await eraseOrder(shop.db, await settledOrder(email), BY);
    const outcome = await whileLocked(shop.databaseUrl, {
      first: `WITH known AS (SELECT id FROM customers WHERE email = '${email}' FOR KEY SHARE)
        INSERT INTO orders SELECT (jsonb_populate_record(o, '{"id": "ord_being_placed",
          "status": "pending", "erased_at": null, "customer_email": "${email}"}')).*
        FROM orders o JOIN known ON known.id = o.customer_id`,
      meanwhile: () => erasePerson(shop, { email, by: BY, withinMs: 60_000 }),
    });
    expect(outcome).toMatchObject({ kind: 'under_way', orderIds: ['ord_being_placed'] });
    await shop.db.order.delete({ where: { id: 'ord_being_placed' } });
  });

  test('concurrent orders and erasures of one e-mail leave no order with an erased customer', async () => {
    const email = 'torn@example.com';
    const customer = { email, name: 'Torn' };
    await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const isOrder = index % 2 === 0;
        if (isOrder) await shop.place({ customer, payment_method: DECLINED_CARD });
        else expect([200, 409]).toContain((await post('erase', email)).status);
      }),
    );
    await expectInvariants(shop.db);
    expect((await erase(email)).complete).toBe(true);
    expect(await columnsWith(shop.databaseUrl, [email])).toEqual([]);
  });

  test.each(['', 'nobody', 'a@b@c', 'ada@example.com\u0000'])(
    'an erasure of %j is refused as invalid',
    async (email) => {
      expect((await post('erase', email)).status).toBe(422);
    },
  );
});

describe('npm run erase and npm run export', () => {
  const run = (...args: string[]) => runScript('tools/persons/main.ts', args, shop.databaseUrl);

  test('the commands export and erase as the calls of the API do, and name who asked', async () => {
    const email = 'terminal@example.com';
    const orderId = await settledOrder(email);
    const exported = await run('export', '--email', 'Terminal@Example.com');
    expect(exported.code).toBe(0);
    expect(JSON.parse(exported.output)).toMatchObject({ email, orders: [{ id: orderId }] });
    const erased = await run('erase', '--email', email, '--by', 'anna');
    expect(erased.code, erased.output).toBe(0);
    const record = await shop.db.auditEntry.findFirstOrThrow({ where: { actor: 'operator/anna' } });
    expect(erased.output).toContain(record.subject);
    expect(await columnsWith(shop.databaseUrl, [email])).toEqual([]);
  });

  test('the documented export writes nothing but the JSON document into its file', async () => {
    const orderId = await settledOrder('ada@example.com');
    const [command = ''] = /^npm run .*export.*(?= > )/m.exec(read('docs/personal-data.md')) ?? [];
    const env = { ...environment(), DATABASE_URL: shop.databaseUrl };
    const { stdout } = await promisify(exec)(command, { cwd: PROJECT, env });
    const { orders } = z
      .object({ orders: z.array(z.object({ id: z.string() })) })
      .parse(JSON.parse(stdout));
    expect(orders).toContainEqual({ id: orderId });
  });

  test('the commands refuse orders under way with exit code 1 and a wrong command line with 2', async () => {
    const customer = { email: 'moving@example.com', name: 'Moving' };
    const orderId = await placedOrder(shop, { customer });
    const refused = await run('erase', '--email', customer.email);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(orderId);
    for (const args of [
      ['erase'],
      ['export', '--email', 'nobody'],
      ['forget', '--email', 'a@b.c'],
    ]) {
      const { code, output } = await run(...args);
      expect([code, output]).toEqual([2, expect.stringContaining('Usage')]);
    }
  });
});

describe('the retention period of personal data', () => {
  const sweep = (personalData: number | null) =>
    new MockActivityEnvironment().run(() =>
      eraseOutdated({ db: shop.db, retention: { ...DEFAULT_RETENTION, personalData } }),
    );

  test('guests of settled orders are erased after the period and kept without one, and registered customers stay', async () => {
    const [email, other] = ['old@example.com', 'regular@example.com'];
    const member = 'member@example.com';
    const old = await settledOrder(email);
    const regular = await settledOrder(other);
    await settledOrder(other);
    const ofMember = await settledOrder(member);
    await shop.db.customer.update({
      where: { email: member },
      data: { registeredAt: new Date(0) },
    });
    const age = { createdAt: new Date(0), updatedAt: new Date(0) };
    await shop.db.order.updateMany({ where: { id: { in: [old, regular, ofMember] } }, data: age });
    expect(await sweep(null)).toBe(0);
    expect(await sweep(30)).toBe(3);
    expect(await sweep(30)).toBe(0);
    expect((await show(old)).customer.email).toBe(ERASED);
    expect((await show(regular)).customer.email).toBe(ERASED);
    const kept = await shop.db.customer.findMany({
      where: { email: { in: [email, other, member] } },
      orderBy: { email: 'asc' },
    });
    expect(kept.map((each) => each.email)).toEqual([member, other]);
    const record = await shop.db.auditEntry.findFirstOrThrow({
      where: { action: 'customer.erased', actor: 'system' },
    });
    expect(record.data).toEqual({ orders: 1 });
  });

  test('a guest with store credit is kept when the last order is erased, and erased when the credit has expired', async () => {
    const email = 'rich@example.com';
    const orderId = await settledOrder(email);
    await shop.db.$executeRaw`
      WITH account AS (
        INSERT INTO credit_accounts (customer_id, currency, balance_minor, next_expiry_at)
        SELECT customer_id, 'EUR', 500, now() FROM orders WHERE id = ${orderId} RETURNING *)
      INSERT INTO credit_entries
        (id, customer_id, currency, kind, amount_minor, reason, key, actor, expires_at)
      SELECT ${randomUUID()}, customer_id, currency, 'granted', 500, 'sorry', ${randomUUID()}, 'a',
        now() FROM account`;
    const age = { createdAt: new Date(0), updatedAt: new Date(0) };
    await shop.db.order.update({ where: { id: orderId }, data: age });
    const isKept = async () => (await shop.db.customer.count({ where: { email } })) === 1;
    expect([await sweep(30), await isKept()]).toEqual([1, true]);
    expect([await sweep(30), await isKept()]).toEqual([0, true]);
    for (const account of await listExpiring(shop.db, { after: null, limit: 10 })) {
      await expireCredit(shop.db, account);
    }
    expect([await sweep(30), await isKept()]).toEqual([0, false]);
    expect(await columnsWith(shop.databaseUrl, [email, 'sorry'])).toEqual([]);
    await expectInvariants(shop.db);
  });
});
