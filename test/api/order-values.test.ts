import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COUNTRIES, hasPostalCodes } from '../../domain/iso-3166.ts';
import { shippingAddress } from '../../api/schemas/customers.ts';
import { orderBody } from '../support/client.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { placesOfRefusal, useShop } from '../support/shop.ts';

/** Which values of an order are taken, and that the others are refused before anything happens. */
const shop = useShop();
const ADDRESS = orderBody().shipping_address;
const CUSTOMER = orderBody().customer;
const OPERATOR = { role: 'operator' } as const;

const withCustomer = (changes: object) => ({ customer: { ...CUSTOMER, ...changes } });
const withAddress = (changes: object) => ({ shipping_address: { ...ADDRESS, ...changes } });

const refusedPlaces = (changes: object) => placesOfRefusal(shop, changes);

describe('the address of an order', () => {
  test('a region reaches the response and the database', async () => {
    const address = {
      line1: '1 Main Street',
      city: 'Springfield',
      region: 'IL',
      postal_code: '62701',
      country: 'US',
    };
    const { id } = await orderOf(await shop.place({ shipping_address: address }));
    const read = await orderOf(await shop.request('GET', `/v1/orders/${id}`));
    expect(read['shipping_address']).toEqual(address);
  });

  test.each(['HK', 'AE', 'QA'])('an address in %s needs no postal code', async (country) => {
    const { postal_code: _, ...address } = { ...ADDRESS, country };
    const order = await orderOf(await shop.place({ shipping_address: address }));
    expect(order['shipping_address']).toEqual(address);
  });

  test.each(['DE', 'US', 'GB'])('an address in %s needs a postal code', async (country) => {
    const { postal_code: _, ...address } = { ...ADDRESS, country };
    expect(await refusedPlaces({ shipping_address: address })).toContain(
      '#/shipping_address/postal_code',
    );
  });

  test.each(['UK', 'SU', 'YU', 'EU', 'XK', 'ZZ', 'de', 'DEU', ''])(
    'the country %j is refused',
    async (country) => {
      expect(await refusedPlaces(withAddress({ country }))).toContain('#/shipping_address/country');
    },
  );

  test('any two letters are a country exactly when ISO 3166-1 has assigned them', () => {
    const letter = fc.integer({ min: 65, max: 90 }).map((code) => String.fromCharCode(code));
    const letters = fc.string({ unit: letter, minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(letters, fc.boolean(), (country, hasCode) => {
        const { postal_code: code, ...rest } = { ...ADDRESS, country };
        const { success } = shippingAddress.safeParse(
          hasCode ? { ...rest, postal_code: code } : rest,
        );
        const isComplete = hasCode || !hasPostalCodes(country);
        expect(success, country).toBe(COUNTRIES.includes(country) && isComplete);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each(['line1', 'city', 'region', 'postal_code'])(
    'a %s of blanks alone is refused',
    async (field) => {
      for (const blank of [' ', '\u200b', '\u202a\u202c', '\u3164', '\ufeff', '']) {
        expect(await refusedPlaces(withAddress({ [field]: blank }))).toContain(
          `#/shipping_address/${field}`,
        );
      }
    },
  );
});

describe('the customer of an order', () => {
  test.each([
    ['Ada@Example.COM', 'ada@example.com'],
    ['o\u2019brien@example.com'.replace('\u2019', "'"), "o'brien@example.com"],
    ['.ada..lovelace.@example.com', '.ada..lovelace.@example.com'],
    ['ada+tag/x=1@sub.example.museum', 'ada+tag/x=1@sub.example.museum'],
    ['ada@localhost', 'ada@localhost'],
    ['ada@münchen.example', 'ada@xn--mnchen-3ya.example'],
    ['ada@例子。测试', 'ada@xn--fsqu00a.xn--0zwm56d'],
    ['ada@xn--mnchen-3ya.example', 'ada@xn--mnchen-3ya.example'],
    [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
  ])('the e-mail address %s is taken as %s', async (email, stored) => {
    const order = await orderOf(await shop.place(withCustomer({ email })));
    expect(order['customer']).toMatchObject({ email: stored });
    const list = await shop.request(
      'GET',
      `/v1/orders?limit=1&email=${encodeURIComponent(email)}`,
      {
        role: 'operator',
      },
    );
    expect(await list.json()).toMatchObject({ data: [{ id: order.id }] });
  });

  const label = 'a'.repeat(63);
  test.each([
    'ada',
    'ada@',
    '@example.com',
    'ada@@example.com',
    'ada lovelace@example.com',
    'ada@exa mple.com',
    'ada@-example.com',
    'ada@example-.com',
    'ada@example..com',
    'ada@[127.0.0.1]',
    '"ada"@example.com',
    'ädä@example.com',
    'ada@münchen.example:25',
    'ada@münchen%2eexample',
    'Ada <ada@example.com>',
    'ada@example.com\r\nBcc: eve@example.com',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a'.repeat(64)}.com`,
    `ada@${label}.${label}.${label}.${label}`,
    // IDNA drops a variation selector: what is read must be short, not only what is left.
    `ada@m${'\ufe0f'.repeat(254)}ünchen.example`,
  ])('the e-mail address %j is refused', async (email) => {
    expect(await refusedPlaces(withCustomer({ email }))).toContain('#/customer/email');
  });

  test('an address of 254 characters is the longest', async () => {
    const email = `${'a'.repeat(64)}@${label}.${label}.${'b'.repeat(61)}`;
    expect(email).toHaveLength(254);
    expect((await shop.place(withCustomer({ email }))).status).toBe(201);
    expect(await refusedPlaces(withCustomer({ email: `${email}b` }))).toContain('#/customer/email');
  });

  test.each(['+49 30 1234567', '(030) 123-45.67', '112233', '030/1234567', '123456789012345'])(
    'the phone number %s is taken',
    async (phone) => {
      const order = await orderOf(await shop.place(withCustomer({ phone })));
      expect(order['customer']).toMatchObject({ phone });
    },
  );

  test.each([
    '     ',
    '-----',
    '()()()',
    '+',
    '123',
    '1234567890123456',
    '+49 30 x',
    '٠١٢٣٤٥',
    '1\n234',
  ])('the phone number %j is refused', async (phone) => {
    expect(await refusedPlaces(withCustomer({ phone }))).toContain('#/customer/phone');
  });

  test.each([
    '\u200b\u200b',
    '\u202e\u202c',
    '\u2066\u2069',
    '\u00a0',
    '\u3164',
    'A\nB',
    'A\u0085',
    'A\u202eB',
  ])('the name %j is refused', async (name) => {
    expect(await refusedPlaces(withCustomer({ name }))).toContain('#/customer/name');
  });

  test.each(['José', '李小龍', 'محمد', 'क्‍ष', 'Ada 😀', 'ا\u200cب'])(
    'the name %s is taken',
    async (name) => {
      const order = await orderOf(await shop.place(withCustomer({ name: ` ${name}\u00a0` })));
      expect(order['customer']).toMatchObject({ name });
    },
  );

  test('the language and the consent to SMS are stored with the order, and read with it', async () => {
    const said = { phone: '+49 30 1234567', language: 'de', sms_consent: true };
    const { id, customer } = await orderOf(await shop.place(withCustomer(said)));
    expect(customer).toMatchObject(said);
    const read = await orderOf(await shop.request('GET', `/v1/orders/${id}`));
    expect(read['customer']).toMatchObject(said);
    const { data } = await listOf(await shop.request('GET', '/v1/orders?limit=1', OPERATOR));
    expect(data).toMatchObject([{ id, customer: said }]);
  });

  test("without a language or a consent they are the shop's language and no SMS", async () => {
    const email = 'said-nothing@example.com';
    const { customer } = await orderOf(await shop.place(withCustomer({ email })));
    expect(customer).toMatchObject({ language: 'en', sms_consent: false });
  });

  test('what an order does not say is what its customer prefers, and SMS need a phone with the order', async () => {
    const [email, phone] = ['prefers@example.com', '+49 30 7654321'];
    await shop.place(withCustomer({ email }));
    await shop.db.customer.update({
      where: { email },
      data: { phone, language: 'de', smsConsent: true },
    });
    const ordered = async (changes: object) =>
      (await orderOf(await shop.place(withCustomer({ email, ...changes })))).customer;
    expect(await ordered({ phone })).toMatchObject({ language: 'de', sms_consent: true });
    expect(await ordered({})).toMatchObject({ language: 'de', phone: null, sms_consent: false });
    const otherwise = { language: 'en', sms_consent: false };
    expect(await ordered({ phone, ...otherwise })).toMatchObject(otherwise);
  });

  test.each(['DE', 'de-DE', 'xx', '', null])('the language %j is refused', async (language) => {
    expect(await refusedPlaces(withCustomer({ language }))).toContain('#/customer/language');
  });

  test('a consent to SMS without an international phone number is refused', async () => {
    const consent = { sms_consent: true };
    for (const phone of [undefined, '030 1234567']) {
      const customer = withCustomer({ ...consent, phone });
      expect(await refusedPlaces(customer)).toContain('#/customer/phone');
    }
    expect((await shop.place(withCustomer({ sms_consent: false }))).status).toBe(201);
  });

  test('a body that is not UTF-8 is refused, not guessed', async () => {
    const body = Buffer.from(
      JSON.stringify({ ...orderBody(), ...withCustomer({ name: 'José' }) }),
      'latin1',
    );
    const response = await shop.request('POST', '/v1/orders', { key: 'latin1', body });
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'malformed_json' });
  });
});
