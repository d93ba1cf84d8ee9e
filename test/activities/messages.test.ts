import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  composeEmail,
  composeSms,
  type Occasion,
  type ShopProfile,
} from '../../activities/checkout/messages/compose.ts';
import type { Email } from '../../activities/checkout/messages/layout.ts';
import { messagesIn } from '../../activities/checkout/messages/languages.ts';
import { fill } from '../../activities/checkout/messages/messages.ts';
import { LANGUAGES, type Language } from '../../domain/language.ts';
import { formatMoney } from '../../domain/money.ts';
import { orderNumber } from '../../domain/order-number.ts';
import { CANCEL_REASONS, type Order } from '../../domain/order.ts';
import type { Shipment } from '../../domain/shipment.ts';
import type { Refund } from '../../domain/refund.ts';
import { segmentsOf } from '../../local/sandbox/sms/segments.ts';
import { newId } from '../../prisma/client/ids.ts';

const SHOP: ShopProfile = {
  name: 'Tea & Co',
  orderUrl: 'https://tea.example/orders/{order_number}?id={order_id}',
  timeZone: 'Asia/Tokyo',
};
const AT = '2026-01-30T23:30:00.000Z';

function orderIn(language: Language, changes: Partial<Order> = {}): Order {
  return {
    id: newId('order'),
    status: 'shipped',
    version: 5,
    currency: 'EUR',
    totalMinor: 2_650,
    creditMinor: 0,
    fulfillment: 'all_or_nothing',
    dueMinor: null,
    lines: [{ sku: 'mug', name: 'Mug', quantity: 2, unitPriceMinor: 1_200 }],
    adjustments: [
      { kind: 'shipping', label: 'Parcel', amountMinor: 490 },
      { kind: 'discount', label: 'Spring', amountMinor: -240 },
    ],
    customer: {
      id: newId('customer'),
      email: 'ada@example.com',
      name: 'Ada',
      phone: null,
      language,
      smsConsent: false,
    },
    shippingAddress: { line1: 'Street 1', city: 'Dubai', country: 'AE' },
    correlationId: 'x',
    traceparent: null,
    inspectable: false,
    cancelReason: null,
    attentionStep: null,
    createdAt: AT,
    updatedAt: AT,
    erasedAt: null,
    ...changes,
  };
}

function shipmentOf({ id: orderId }: Order, changes: Partial<Shipment> = {}): Shipment {
  const id = newId('shipment');
  const shipment = { id, orderId, status: 'shipped', correlationId: 'x' } as const;
  const parcel = { carrier: 'DHL', trackingNumber: 'TP-1' };
  return { ...shipment, ...parcel, requestedAt: AT, answeredAt: AT, ...changes };
}

function refundOf(order: Order, amountMinor: number, creditMinor = 0): Refund {
  return {
    id: newId('refund'),
    orderId: order.id,
    key: 'x',
    cause: 'requested',
    status: 'succeeded',
    amountMinor,
    creditMinor,
    currency: order.currency,
    lines: [],
    reason: null,
    failureCode: null,
    providerReference: 're_1',
    acceptedAt: null,
    requestedAt: AT,
    settledAt: AT,
  };
}

/** One of each kind, and each reason. */
function everyEmail(order: Order, shop = SHOP): Promise<readonly Email[]> {
  const occasions: readonly Occasion[] = [
    { kind: 'confirmed' },
    { kind: 'expired' },
    { kind: 'shipped', shipment: shipmentOf(order) },
    { kind: 'shipped', shipment: null },
    { kind: 'refunded', refund: refundOf(order, order.totalMinor) },
    { kind: 'refunded', refund: refundOf(order, 1) },
  ];
  return Promise.all([
    ...occasions.map((occasion) => composeEmail(shop, order, occasion)),
    ...CANCEL_REASONS.map((cancelReason) =>
      composeEmail(shop, { ...order, cancelReason }, { kind: 'cancelled' }),
    ),
  ]);
}

/** The text of a message with the blanks of a language as plain ones. */
const plain = (text: string): string => text.replaceAll(/\s+/g, ' ');

function wordsOf(html: string): string {
  const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  const text = html.replaceAll(/<[^>]*>/g, ' ');
  return plain(
    text.replaceAll(/&([a-z#0-9]+);/g, (_, name: string) => Reflect.get(entities, name)),
  );
}

describe('the texts', () => {
  /** The placeholders of each text, by its place. */
  function placeholders(texts: object, path = ''): readonly (readonly [string, string])[] {
    return Object.entries(texts).flatMap(([name, text]: [string, unknown]) => {
      const place = `${path}/${name}`;
      if (typeof text === 'object' && text !== null) return placeholders(text, place);
      expect(text, place).toMatch(/\S/);
      return [[place, (String(text).match(/\{\w+\}/g) ?? []).toSorted().join()] as const];
    });
  }

  test.each(LANGUAGES)('%s has every text, with the placeholders of every language', (language) => {
    const wanted = placeholders(messagesIn('en'));
    expect(wanted).toContainEqual(['/confirmed/subject', '{number},{shop}']);
    const found = new Map(placeholders(messagesIn(language)));
    expect(found).toEqual(new Map(wanted));
  });

  test('a value may hold what looks like a placeholder, and a placeholder needs a value', () => {
    expect(fill('{a}, {b}', { a: '{b}', b: '$&' })).toBe('{b}, $&');
    expect(() => fill('{a}', {})).toThrow('no value for {a}');
  });
});

describe.each(LANGUAGES)('an e-mail in %s', (language) => {
  const euros = (amountMinor: number) => formatMoney({ amountMinor, currency: 'EUR' }, language);

  test('every e-mail names shop, order and customer, and links to the order, in text and HTML', async () => {
    const order = orderIn(language);
    const number = orderNumber(order.id);
    for (const email of await everyEmail(order)) {
      expect(email.language).toBe(language);
      expect(email.subject).toContain(number);
      expect(email.subject).toContain('Tea & Co');
      const link = `https://tea.example/orders/${number}?id=${order.id}`;
      expect(email.text).toContain(link);
      expect(email.html).toContain(`<a href="${link}"`);
      expect(email.html).toContain(`<html lang="${language}"`);
      expect(`${email.subject}${email.text}`).not.toMatch(/[{}]|undefined|null/);
    }
  });

  test('every e-mail says the same in text and HTML', async () => {
    for (const { text, html } of await everyEmail(orderIn(language), { ...SHOP, orderUrl: null })) {
      const inHtml = wordsOf(html);
      const parts = text.split('\n').flatMap((line) => line.split(/ x |: /));
      for (const part of parts) expect(inHtml).toContain(plain(part).trim());
    }
  });

  test('an e-mail lists the lines, the adjustments and the total', async () => {
    const { text } = await composeEmail(SHOP, orderIn(language), { kind: 'confirmed' });
    const [line, shipping, discount, total] = [2_400, 490, -240, 2_650].map(euros);
    const { total: label } = messagesIn(language).order;
    expect(text).toContain(
      `2 x Mug: ${line}\n  Parcel: ${shipping}\n  Spring: ${discount}\n${label}: ${total}\n`,
    );
  });

  test('the e-mail of the largest order has less than 20 kB, and loads nothing', async () => {
    const lines = Array.from({ length: 50 }, (_, at) => ({
      sku: `sku-${at}`,
      name: `A quite ordinary name of a product, ${at}`,
      quantity: 999,
      unitPriceMinor: 99_999,
    }));
    const adjustments = Array.from({ length: 20 }, () => ({
      kind: 'other' as const,
      label: 'A quite ordinary label of an adjustment',
      amountMinor: -100,
    }));
    for (const { html } of await everyEmail(orderIn(language, { lines, adjustments }))) {
      expect(Buffer.byteLength(html)).toBeLessThan(20_000);
      expect(html).not.toMatch(/<(?:script|style|link|img|iframe|form|object)|src=|url\(|@import/i);
      expect(html.match(/https?:/g)).toHaveLength(1);
    }
  });

  test('no e-mail has a link when the shop has no page of the order', async () => {
    for (const { text, html } of await everyEmail(orderIn(language), { ...SHOP, orderUrl: null })) {
      expect(`${text}${html}`).not.toMatch(/https?:|<a /);
    }
  });

  test.each([
    { amountMinor: 2_650, creditMinor: 0, says: ['whole 2650', 'toCard 2650'] },
    { amountMinor: 2_649, creditMinor: 0, says: ['part 2649', 'toCard 2649'] },
    { amountMinor: 1_000, creditMinor: 1_000, says: ['part 1000', 'toCredit 1000'] },
    { amountMinor: 2_650, creditMinor: 650, says: ['whole 2650', 'toCard 2000', 'toCredit 650'] },
  ])(
    'the e-mail about a refund of $amountMinor, $creditMinor of it as credit, says $says',
    async (row) => {
      const order = orderIn(language);
      const refund = refundOf(order, row.amountMinor, row.creditMinor);
      const { text } = await composeEmail(SHOP, order, { kind: 'refunded', refund });
      const { whole, part, toCard, toCredit } = messagesIn(language).refunded;
      const texts = { whole, part, toCard, toCredit };
      const said = row.says.map((each) => {
        const [name = '', minor] = each.split(' ');
        const amount = formatMoney({ amountMinor: Number(minor), currency: 'EUR' }, language);
        return fill(Reflect.get(texts, name), { amount });
      });
      expect(text).toContain(`\n\n${said.join('\n\n')}\n\n${messagesIn(language).order.title[0]}`);
    },
  );

  test.each(CANCEL_REASONS)(
    'the e-mail about an order cancelled by %s says why, and that it is free',
    async (cancelReason) => {
      const { reasons, noCharge, creditBack } = messagesIn(language).cancelled;
      const said = `${reasons[cancelReason]}\n\n${noCharge}\n`;
      const order = orderIn(language, { status: 'cancelled', cancelReason });
      const { text } = await composeEmail(SHOP, order, { kind: 'cancelled' });
      expect(text).toContain(said);
      expect(text).not.toContain(creditBack);
      const withCredit = { ...order, creditMinor: 650 };
      const { text: other } = await composeEmail(SHOP, withCredit, { kind: 'cancelled' });
      expect(other).toContain(`${said}\n${creditBack}\n`);
      expect(other).not.toContain(messagesIn(language).order.byCredit);
    },
  );

  test('an e-mail says what store credit has paid, and what the card', async () => {
    const { byCredit, byCard } = messagesIn(language).order;
    const paidBy = async (creditMinor: number) => {
      const order = orderIn(language, { creditMinor });
      const { text } = await composeEmail(SHOP, order, { kind: 'confirmed' });
      return text
        .split('\n')
        .filter((each) => each.startsWith(byCredit) || each.startsWith(byCard));
    };
    expect(await paidBy(0)).toEqual([]);
    expect(await paidBy(650)).toEqual([`${byCredit}: ${euros(650)}`, `${byCard}: ${euros(2_000)}`]);
    expect(await paidBy(2_650)).toEqual([`${byCredit}: ${euros(2_650)}`]);
  });
});

describe('what the language decides', () => {
  test.each([
    ['HUF', 250_000, '2,500.00', '2.500,00'],
    ['TWD', 250_000, '2,500.00', '2.500,00'],
    ['ISK', 2_500, '2,500', '2.500'],
    ['JPY', 2_500, '2,500', '2.500'],
    ['KWD', 2_500, '2.500', '2,500'],
  ])('a total in %s of %i minor units is %s in English, %s in German', async (...row) => {
    const [currency, totalMinor, en, de] = row;
    for (const [language, written] of [
      ['en', en],
      ['de', de],
    ] as const) {
      const order = orderIn(language, { currency, totalMinor, adjustments: [] });
      const { text } = await composeEmail(SHOP, order, { kind: 'confirmed' });
      const total = text
        .split('\n')
        .find((each) => each.startsWith(messagesIn(language).order.total));
      expect(total?.replace(/[^\d.,]/g, '')).toBe(written);
    }
  });

  test.each([
    ['en', 'of January 31, 2026'],
    ['de', 'vom 31. Januar 2026'],
  ] as const)(
    "in %s the date of an order is written %s, in the shop's time zone",
    async (...row) => {
      const [language, written] = row;
      const { text } = await composeEmail(SHOP, orderIn(language), { kind: 'confirmed' });
      expect(text).toContain(written);
    },
  );
});

describe('text from outside', () => {
  test('whatever names, labels and tracking hold, the HTML has the same markup', async () => {
    const markupOf = (html: string) => html.replaceAll(/[^<>"]/g, '');
    const compose = async (text: string) => {
      const order = orderIn('en', {
        lines: [{ sku: 'mug', name: text, quantity: 1, unitPriceMinor: 1 }],
        adjustments: [{ kind: 'other', label: text, amountMinor: 1 }],
      });
      const customer = { ...order.customer, name: text };
      const shipment = shipmentOf(order, { carrier: text, trackingNumber: `-${text}` });
      return composeEmail(SHOP, { ...order, customer }, { kind: 'shipped', shipment });
    };
    const markup = markupOf((await compose('plain')).html);
    const unit = fc.constantFrom(
      '<',
      '>',
      '"',
      "'",
      '&',
      '`',
      '=',
      'b',
      '{',
      '}',
      '/',
      ' ',
      '\u202e',
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, minLength: 1 }), async (text) => {
        const { html } = await compose(text);
        expect(markupOf(html)).toBe(markup);
        expect(wordsOf(html)).toContain(plain(text));
      }),
    );
  });

  test('whatever a tracking number holds, it is one line of the e-mail', async () => {
    const order = orderIn('en');
    const compose = (trackingNumber: string) =>
      composeEmail(SHOP, order, {
        kind: 'shipped',
        shipment: shipmentOf(order, { trackingNumber }),
      });
    const lines = (await compose('TP-1')).text.split('\n').length;
    const unit = fc.constantFrom(
      '\n',
      '\r',
      '\0',
      '\u2028',
      '\u202e',
      '\u0085',
      '\ud800',
      'T',
      ' ',
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, minLength: 1 }), async (trackingNumber) => {
        const { text, html } = await compose(trackingNumber);
        expect(text.split('\n')).toHaveLength(lines);
        expect(`${text}${html}`).not.toMatch(/[\0\r\u0085\u2028\u202e]|\p{Cs}/u);
      }),
    );
  });
});

describe('a text message', () => {
  const textOf = (language: Language, changes: Partial<Shipment>, shop = SHOP): string => {
    const order = orderIn(language);
    const sms = { kind: 'shipped', shipment: shipmentOf(order, changes) } as const;
    return composeSms(shop, order, sms).replace(orderNumber(order.id), 'ABC-DEF-GHJ');
  };

  test('an SMS fits into one in every language, with the order number and the tracking number', () => {
    const number = '00340434161094042557';
    const of = (language: Language) => textOf(language, { trackingNumber: number });
    expect(['en' as const, 'de' as const].map(of)).toEqual([
      `Tea & Co: your order ABC-DEF-GHJ has been shipped. Tracking number: ${number}`,
      `Tea & Co: Ihre Bestellung ABC-DEF-GHJ wurde versandt. Sendungsnummer: ${number}`,
    ]);
    for (const text of LANGUAGES.map(of)) expect(segmentsOf(text), text).toBe(1);
  });

  test('a tracking number that would make a second SMS of it is left to the e-mail', () => {
    const without = 'Tea & Co: your order ABC-DEF-GHJ has been shipped.';
    for (const trackingNumber of [null, 'x'.repeat(100), '邮件', 'A|B', '']) {
      expect(textOf('en', { trackingNumber })).toBe(without);
    }
    const long = { ...SHOP, name: 'x'.repeat(100) };
    expect(segmentsOf(textOf('de', { trackingNumber: 'TP-1' }, long))).toBe(1);
  });
});
