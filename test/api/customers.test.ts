import { beforeEach, describe, expect, test } from 'vitest';
import { createGuessLimits, MAX_OF_ADDRESS, MAX_OF_KEY } from '../../api/customers/guessing.ts';
import { createApp } from '../../api/app.ts';
import { customerSchema } from '../../api/schemas/customers.ts';
import { columnsWith } from './person-planting.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop();

const register = (body: object, key: string = crypto.randomUUID()) =>
  shop.request('POST', '/v1/customers', { key, body });
const show = (id: string, headers: Record<string, string> = {}) =>
  shop.request('GET', `/v1/customers/${id}`, { headers });
const change = (id: string, body: object, headers: Record<string, string> = {}) =>
  shop.request('PATCH', `/v1/customers/${id}`, { body, headers });
const ask = (email: string) =>
  shop.request('GET', `/v1/customers/availability?email=${encodeURIComponent(email)}`);
const bodyOf = async (response: Response) => customerSchema.parse(await response.json());
const ascending = (a: number, b: number) => a - b;
/** A registered customer. */
async function registered(email: string, changes: object = {}) {
  const response = await register({ email, name: 'Ada Lovelace', ...changes });
  expect(response.status).toBe(201);
  return bodyOf(response);
}

describe('a registration', () => {
  test('a registered customer is shown with its entity tag, and the audit log has the consent', async () => {
    const response = await register({
      email: 'Ada@Example.com',
      name: ' Ada Lovelace ',
      phone: '+49 30 1234567',
      language: 'de',
      sms_consent: true,
    });
    expect(response.status).toBe(201);
    const customer = await bodyOf(response.clone());
    expect(customer).toMatchObject({
      object: 'customer',
      email: 'ada@example.com',
      name: 'Ada Lovelace',
      phone: '+49 30 1234567',
      language: 'de',
      sms_consent: true,
      registered_at: customer.created_at,
      version: 1,
    });
    expect(response.headers.get('location')).toBe(`/v1/customers/${customer.id}`);
    const shown = await show(customer.id);
    expect(shown.headers.get('etag')).toBe('"v1"');
    expect(await shown.json()).toEqual(customer);
    expect((await show(customer.id, { 'if-none-match': '"v1"' })).status).toBe(304);
    const record = await shop.db.auditEntry.findFirstOrThrow({ where: { subject: customer.id } });
    expect(record).toMatchObject({
      actor: 'operator/key_local_storefront',
      action: 'customer.registered',
      data: { sms_consent: true },
    });
  });

  test('a guest who registers keeps the id and the orders, and the orders keep their own customer', async () => {
    const customer = { email: 'guest@example.com', name: 'As Ordered' };
    const order = await orderOf(await shop.place({ customer }));
    const { customerId } = await shop.db.order.findUniqueOrThrow({ where: { id: order.id } });
    expect(await bodyOf(await show(customerId))).toMatchObject({
      email: customer.email,
      registered_at: null,
      version: 1,
    });
    const { id, version } = await registered(customer.email, { name: 'As Registered' });
    expect([id, version]).toEqual([customerId, 2]);
    const shown = await shop.request('GET', `/v1/orders/${order.id}`);
    expect(await shown.json()).toMatchObject({ customer: { name: 'As Ordered' } });
    const again = await orderOf(await shop.place({ customer }));
    expect(again['customer']).toMatchObject(customer);
    expect(await shop.db.customer.count({ where: { email: customer.email } })).toBe(1);
    expect((await bodyOf(await show(id))).name).toBe('As Registered');
  });

  test('one of several concurrent registrations of one e-mail returns 201, and the others email_taken', async () => {
    const email = 'raced@example.com';
    await shop.place({ customer: { email, name: 'Guest' } });
    for (const address of [email, 'raced-unknown@example.com']) {
      const responses = await Promise.all(
        times(8, (at) => register({ email: address, name: `Racer ${at}` })),
      );
      const statuses = responses.map(({ status }) => status).toSorted(ascending);
      expect(statuses).toEqual([201, ...Array<number>(7).fill(409)]);
      const refused = responses.filter(({ status }) => status === 409);
      for (const each of refused) expect((await problemOf(each)).code).toBe('email_taken');
      expect(await shop.db.customer.count({ where: { email: address } })).toBe(1);
    }
  });

  test('a repeated registration with its key returns the first response, and another body is refused', async () => {
    const body = { email: 'repeated@example.com', name: 'Once' };
    const responses = await Promise.all(times(5, () => register(body, 'same')));
    const made = responses.filter(({ status }) => status === 201);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(await Promise.all(made.map((each) => each.text()))).size).toBe(1);
    const replay = await register(body, 'same');
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    const other = await register({ ...body, name: 'Twice' }, 'same');
    expect((await problemOf(other)).code).toBe('idempotency_key_reused');
  });

  test.each([
    [{ email: 'nobody' }, '#/email'],
    [{ name: ' ' }, '#/name'],
    [{ phone: '12' }, '#/phone'],
    [{ language: 'xx' }, '#/language'],
    [{ sms_consent: true }, '#/phone'],
    [{ password: 'x' }, '#/password'],
  ])(
    'a registration with %j is refused at %s and registers no customer',
    async (wrong, pointer) => {
      const email = 'wrong@example.com';
      const problem = await problemOf(await register({ email, name: 'Wrong', ...wrong }));
      expect(problem).toMatchObject({ code: 'invalid_request', errors: [{ pointer }] });
      expect(await shop.db.customer.count({ where: { email } })).toBe(0);
    },
  );
});

describe('a change of a customer', () => {
  test('a change merges what it names, and null removes the phone and the language', async () => {
    const { id } = await registered('merged@example.com', { language: 'de', phone: '+49 30 1234' });
    const first = await change(id, { name: 'New Name' });
    expect(first.headers.get('etag')).toBe('"v2"');
    expect(await bodyOf(first)).toMatchObject({
      name: 'New Name',
      phone: '+49 30 1234',
      language: 'de',
      sms_consent: false,
    });
    expect(await bodyOf(await change(id, { sms_consent: true }))).toMatchObject({
      sms_consent: true,
      version: 3,
    });
    const without = { phone: null, language: null, sms_consent: false };
    expect(await bodyOf(await change(id, without))).toMatchObject({ ...without, version: 4 });
    const log = await shop.db.auditEntry.findMany({
      where: { subject: id, action: 'customer.updated' },
      orderBy: { id: 'asc' },
    });
    expect(log.map(({ data }) => data)).toEqual([
      { fields: ['name'], sms_consent: false },
      { fields: ['sms_consent'], sms_consent: true },
      { fields: ['phone', 'language', 'sms_consent'], sms_consent: false },
    ]);
  });

  test('a change with an If-Match of another version is refused, and of concurrent ones with one version one is made', async () => {
    const { id } = await registered('versioned@example.com');
    const responses = await Promise.all(
      times(6, (at) => change(id, { name: `Name ${at}` }, { 'if-match': '"v1"' })),
    );
    expect(responses.map(({ status }) => status).toSorted(ascending)).toEqual([
      200, 412, 412, 412, 412, 412,
    ]);
    const stale = await change(id, { name: 'Stale' }, { 'if-match': '"v1"' });
    expect(await problemOf(stale)).toMatchObject({
      code: 'precondition_failed',
      detail: expect.stringContaining('version 2'),
    });
    expect((await change(id, { name: 'Last' }, { 'if-match': '*' })).status).toBe(200);
  });

  test('consent to SMS without an international phone is refused, and nothing changes', async () => {
    const { id } = await registered('consent@example.com');
    const phone = '+49 30 1234567';
    for (const without of [{}, { phone: '030 1234' }]) {
      const problem = await problemOf(await change(id, { ...without, sms_consent: true }));
      expect(problem.errors).toMatchObject([{ pointer: '#/phone' }]);
    }
    await change(id, { phone, sms_consent: true });
    for (const other of [null, '030 1234']) {
      const problem = await problemOf(await change(id, { phone: other }));
      expect(problem.errors).toMatchObject([{ pointer: '#/phone' }]);
    }
    expect(await bodyOf(await show(id))).toMatchObject({ phone, version: 2 });
  });

  test('an empty change, a change of the e-mail, and an unknown customer are refused', async () => {
    const { id } = await registered('fixed@example.com');
    expect((await problemOf(await change(id, {}))).status).toBe(422);
    expect((await problemOf(await change(id, { email: 'a@example.com' }))).status).toBe(422);
    for (const unknown of ['none', id.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]) {
      expect((await problemOf(await show(unknown))).code).toBe('customer_not_found');
      expect((await problemOf(await change(unknown, { name: 'x' }))).code).toBe(
        'customer_not_found',
      );
    }
  });
});

describe('the availability of an e-mail', () => {
  test('a guest gets the same response as an address that nobody has, and a registered customer is not available', async () => {
    await shop.place({ customer: { email: 'known-guest@example.com', name: 'Guest' } });
    await registered('member@example.com');
    const asSent = async (email: string) => {
      const response = await ask(email);
      const headers = [...response.headers].filter(
        ([name]) => !/request-id|correlation/.test(name),
      );
      return { status: response.status, headers, text: await response.text() };
    };
    const unknown = await asSent('unknown@example.com');
    expect(unknown).toMatchObject({
      status: 200,
      text: '{"object":"availability","available":true}',
    });
    expect(await asSent('known-guest@example.com')).toEqual(unknown);
    const member = await asSent(' Member@Example.com ');
    expect(member.text).toBe('{"object":"availability","available":false}');
    expect(member.headers).toEqual(unknown.headers);
    expect((await problemOf(await ask('nobody'))).errors).toMatchObject([{ parameter: 'email' }]);
  });

  test('questions about one e-mail and questions with one API key are limited together with registrations', async () => {
    const app = createApp({ ...shop.services, guessLimits: createGuessLimits() });
    const question = async (email: string) =>
      app.request(`/v1/customers/availability?email=${email}`, {
        headers: { authorization: 'Bearer hf_local_storefront' },
      });
    const about = await Promise.all(
      times(MAX_OF_ADDRESS + 1, () => question('watched@example.com')),
    );
    expect(about.filter(({ status }) => status === 200)).toHaveLength(MAX_OF_ADDRESS);
    const refused = about.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    const registration = await app.request('/v1/customers', {
      method: 'POST',
      headers: {
        authorization: 'Bearer hf_local_storefront',
        'content-type': 'application/json',
        'idempotency-key': 'watched',
      },
      body: JSON.stringify({ email: 'watched@example.com', name: 'Watched' }),
    });
    expect(await problemOf(registration)).toMatchObject({
      code: 'too_many_requests',
      retryable: true,
    });
    expect((await question('another@example.com')).status).toBe(200);
  });

  test('one API key may ask about so many e-mails a minute, and another key is not held up by it', () => {
    const limits = createGuessLimits();
    const asked = (apiKeyId: string, at: number) => () =>
      limits.count({ apiKeyId, email: `${at}@example.com` });
    for (let at = 0; at < MAX_OF_KEY; at += 1) asked('a', at)();
    expect(asked('a', MAX_OF_KEY)).toThrow('too_many_requests');
    expect(asked('b', MAX_OF_KEY)).not.toThrow();
  });
});

describe('an erased customer', () => {
  const email = 'leaving@example.com';
  const post = (verb: string) =>
    shop.request('POST', `/v1/persons/${verb}`, { role: 'operator', body: { email } });

  let id: string;
  beforeEach(async () => {
    const customer = { email, name: 'Leaving Person', phone: '030 998877', language: 'de' };
    id = (await bodyOf(await register(customer, 'leaving'))).id;
  });

  test('a registered customer without an order is exported and erased with the stored response', async () => {
    const exported = await (await post('export')).text();
    for (const value of ['Leaving Person', 'stored_responses', id])
      expect(exported).toContain(value);
    expect(await (await post('erase')).json()).toMatchObject({ customer_id: id, complete: true });
    expect(await columnsWith(shop.databaseUrl, [email, 'Leaving Person', '998877'])).toEqual([]);
    expect((await problemOf(await show(id))).code).toBe('customer_not_found');
    const repeated = await register({ email, name: 'Leaving Person' }, 'leaving');
    expect((await problemOf(repeated)).code).toBe('idempotency_key_reused');
    expect((await bodyOf(await register({ email, name: 'New Person' }))).id).not.toBe(id);
    await post('erase');
  });
});
