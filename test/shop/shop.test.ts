import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { listen } from '../../api/server.ts';
import { TROUBLES } from '../../local/shop/offers.ts';
import { eventually } from '../support/eventually.ts';
import { choosePort } from '../support/ports.ts';
import { WEBHOOK_SECRET } from '../support/shop.ts';
import { useOpened } from '../support/use-opened.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { buy, fieldsIn, openVisitor, wordsOf, type Page, type Visitor } from './visitor.ts';

const shop = useRunningShop({ takesCallbacks: true });
const api = useOpened(async () => {
  const [host, port] = ['127.0.0.1', await choosePort()];
  const server = await listen({ fetch: createApp(shop.services).fetch, host, port });
  return { url: `http://${host}:${port}`, close: () => server.close(5_000) };
});

describe('the products', () => {
  test('the shop shows each product with picture, price and how many are available', async () => {
    const { status, text } = await visit().get('/shop');
    expect(status).toBe(200);
    const words = wordsOf(text);
    expect(words).toMatch(/White mug €12\.00 [\d,]+ available/);
    expect(words).toContain('The last one €99.00 Only 1 left');
    expect(words).toContain('Sold out €49.00 Sold out');
    expect(text).toContain('src="/shop/pictures/mug-white.svg"');
  });

  test('a product that has no picture of its own gets one all the same', async () => {
    const known = await visit().get('/shop/pictures/mug-white.svg');
    const other = await visit().get('/shop/pictures/of-tomorrow.svg');
    expect([known.status, other.status]).toEqual([200, 200]);
    expect(other.headers.get('content-type')).toBe('image/svg+xml');
    expect(other.text).not.toBe(known.text);
  });

  test('the basket holds several products, changes their quantity, and forgets a changed cookie', async () => {
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'mug-white', quantity: '2' });
    const two = await visitor.post('/shop/basket', { sku: 'poster-a2', quantity: '1' });
    expect(wordsOf(two.text)).toContain('Total €43.00');
    const one = await visitor.post('/shop/basket/mug-white', { quantity: '0' });
    expect(wordsOf(one.text)).toContain('Total €19.00');
    const other = await visitor.post('/shop/basket', { sku: '../../x', quantity: '1' });
    expect(wordsOf(other.text)).toContain('Total €19.00');
  });

  test('a basket with 20 products says that it is full, and keeps them when another is added', async () => {
    const visitor = visit();
    const fill = async (sku: string) =>
      wordsOf((await visitor.post('/shop/basket', { sku, quantity: '1' })).text);
    for (let product = 1; product < 20; product += 1) await fill(`gone-${product}`);
    expect(await fill('mug-white')).toContain('The basket is full: it holds 20 products.');
    const refused = await fill('poster-a2');
    expect(refused).toContain('19 products are in the basket, but not sold in EUR at present.');
    expect(refused).toContain('The basket is full: it holds 20 products. Total €12.00');
  });

  test('the shop shows and sells in the currency that is chosen what has a price in it, with its decimals', async () => {
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'poster-a2', quantity: '1' });
    const inYen = wordsOf((await visitor.post('/shop/currency', { currency: 'JPY' })).text);
    expect(inYen).toMatch(/White mug ¥1,950 [\d,]+ available/);
    expect(inYen).not.toContain('Poster');
    expect(inYen).toContain('One product is in the basket, but not sold in JPY at present.');
    expect(inYen).not.toContain('Check out');
    expect(wordsOf((await visitor.post('/shop/currency', { currency: 'XXX' })).text)).toBe(inYen);
    await visitor.post('/shop/currency', { currency: 'KWD' });
    const page = await buy(visitor, 'mug-white');
    expect(wordsOf(page.text)).toMatch(/Standard shipping KWD.1\.500 Total KWD.5\.500/);
    const id = page.path.replace('/shop/orders/', '');
    const order = await shop.db.order.findUniqueOrThrow({ where: { id } });
    expect(order).toMatchObject({ currency: 'KWD', totalMinor: 5_500 });
    const again = await visitor.post(`${page.path}/again`, {});
    expect(wordsOf(again.text)).toMatch(/Total KWD.5\.500/);
  });

  test('a form of another origin is refused', async () => {
    const form = { sku: 'mug-white', quantity: '1' };
    const refused = await visit().post('/shop/basket', form, 'https://elsewhere.example');
    expect(refused.status).toBe(403);
  });
});

describe('an order', () => {
  test('an order is confirmed to the shopper, shipped behind the answer, and recorded at the providers', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white');
    const words = wordsOf(page.text);
    expect(words).toContain('Thank you! Your order is placed');
    expect(words).toMatch(/after \d+ ms 201 order placed/);
    const later = await shipped(visitor, page);
    expect(later).toMatch(/\+\d+ ms The shopper has the answer: 201/);
    expect(later).toMatch(/Shipped: Sandbox Parcel, tracking number SP/);
    expect(later).toContain('warehouse/ship: done');
    expect(later).toMatch(/authorize €16\.90 key &lt;order&gt;\/authorize capture €16\.90/);
    expect(page.text).toContain(`${api.url}/console${page.path.replace('/shop', '')}`);
    expect(page.text).toContain('/namespaces/default/workflows/checkout%2Ford_');
    // The basket is bought.
    expect(wordsOf((await visitor.get('/shop')).text)).toContain('The basket is empty.');
  });

  test('the live stream sends the rows of a page that was opened at once, and ends with the order', async () => {
    const visitor = visit();
    const { path } = await buy(visitor, 'mug-white');
    const stream = await visitor.open(`${path}/live`);
    const text = await stream.text();
    for (const row of ['event-1', 'answer-0', 'payments-1', 'mail-text-1']) {
      expect(text).toContain(`"id":"${row}"`);
    }
    expect(text).toContain('shipped</span>');
    expect(text.trim().split('\n\n').at(-1)).toContain('event: end');
  });

  test('Buy that is sent again after its order is placed shows that order', async () => {
    const before = await shop.db.order.count();
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'mug-white', quantity: '1' });
    const form = { ...fieldsIn((await visitor.get('/shop/checkout')).text), presses: '1' };
    const first = await visitor.post('/shop/checkout', form);
    expect(first.path).toMatch(/^\/shop\/orders\/ord_/);
    expect((await visitor.post('/shop/checkout', form)).path).toBe(first.path);
    expect(await shop.db.order.count()).toBe(before + 1);
  });

  test('pressing Buy twice at once places one order', async () => {
    const before = await shop.db.order.count();
    const page = await buy(visit(), 'mug-white', { presses: '2' });
    expect(wordsOf(page.text)).toContain('201 order placed');
    expect(wordsOf(page.text)).toMatch(/201, the stored response|409 request_in_flight/);
    // It is placed: nothing is left to repeat.
    expect(page.text).not.toContain('Press Buy again');
    expect(await shop.db.order.count()).toBe(before + 1);
  });

  test('an order is taken in the language of the browser, and with SMS when that is ticked', async () => {
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'mug-white', quantity: '1' });
    const headers = { 'accept-language': 'fr, de-AT;q=0.8, en;q=0.5' };
    const { text } = await visitor.get('/shop/checkout', headers);
    expect(text).toMatch(/value="de" lang="de"\s+selected/);
    const said = { language: 'de', phone: '+49 30 1234567', sms_consent: 'yes' };
    const page = await buy(visitor, 'mug-white', said);
    const id = page.path.replace('/shop/orders/', '');
    const order = await shop.db.order.findUniqueOrThrow({ where: { id } });
    expect(order).toMatchObject({ customerLanguage: 'de', customerSmsConsent: true });
    const unticked = await buy(visitor, 'mug-white', { phone: '+49 30 1234567' });
    const other = unticked.path.replace('/shop/orders/', '');
    const silent = await shop.db.order.findUniqueOrThrow({ where: { id: other } });
    expect(silent).toMatchObject({ customerLanguage: 'en', customerSmsConsent: false });
  });

  test('the same press sent again is answered with the same order', async () => {
    const visitor = visit();
    const { path, text } = await buy(visitor, 'mug-white');
    const [, again = ''] = /action="(\/shop\/purchases\/[^"]+)"/.exec(text) ?? [];
    const repeated = await visitor.post(again, {});
    expect(repeated.path).toBe(path);
    expect(wordsOf(repeated.text)).toContain('Thank you! It is the same order');
  });

  test('an order that was shipped is not cancelled, and the page says why', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white');
    await shipped(visitor, page);
    const answer = await visitor.post(`${page.path}/cancel`, { key: crypto.randomUUID() });
    expect(wordsOf(answer.text)).toContain('The order was not cancelled: it has been shipped.');
  });

  test('the same again puts the products of an order back into the basket', async () => {
    const visitor = visit();
    const { path } = await buy(visitor, 'poster-a2');
    const again = await visitor.post(`${path}/again`, {});
    expect(again.path).toBe('/shop/checkout');
    expect(wordsOf(again.text)).toContain('1 × Poster, A2');
  });
});

describe('a refusal', () => {
  test('a declined card is explained in words, charges nothing and keeps the basket', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { card: 'insufficient-funds' });
    const words = wordsOf(page.text);
    expect(words).toContain('Your card was declined');
    expect(words).toContain('there is not enough money on this card. Nothing was charged.');
    expect(words).toContain('402 payment_declined');
    expect(words).toContain('payments/authorize: declined');
    expect(wordsOf((await visitor.get('/shop')).text)).toContain('Total €12.00');
  });

  test('the checkout shows a quote with shipping, and the order is sold at it', async () => {
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'mug-white', quantity: '1' });
    const { text } = await visitor.get('/shop/checkout');
    expect(wordsOf(text)).toContain('Standard shipping €4.90 Total €16.90');
    expect(text).toMatch(/name="quote" value="quo_[0-9a-z]{26}"/);
    expect(wordsOf(text)).toMatch(/these prices hold until \d\d:\d\d UTC/);
    await shop.db.product.update({ where: { sku: 'mug-white' }, data: { priceMinor: 1_300 } });
    const form = { ...fieldsIn(text), presses: '1' };
    const page = await visitor.post('/shop/checkout', form);
    expect(wordsOf(page.text)).toContain('Standard shipping €4.90 Total €16.90');
    await shop.db.product.update({ where: { sku: 'mug-white' }, data: { priceMinor: 1_200 } });
    await visitor.post('/shop/basket', { sku: 'mug-white', quantity: '5' });
    const free = await visitor.get('/shop/checkout');
    expect(wordsOf(free.text)).toContain('Free shipping €0.00 Total €60.00');
  });

  test('what is wrong with the basket is said before anything is bought', async () => {
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'sold-out', quantity: '1' });
    const words = wordsOf((await visitor.get('/shop/checkout')).text);
    expect(words).toContain('Sold out is sold out.');
  });

  test('a product that is sold out is refused by name', async () => {
    const page = await buy(visit(), 'sold-out');
    expect(wordsOf(page.text)).toContain('Not enough left Sold out is sold out.');
  });

  test('an invalid address is reported beside its field, under a new key', async () => {
    const page = await buy(visit(), 'mug-white', { email: 'nobody', city: 'Paris' });
    expect(page.status).toBe(422);
    expect(page.text).toMatch(/aria-describedby="email-error"[\s\S]*?Not an e-mail address/);
    expect(page.text).toContain('value="Paris"');
  });

  test('a provider that is down leads to another press, which places the order', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { trouble: 'payments-down' });
    expect(wordsOf(page.text)).toContain('Your bank does not answer');
    expect(wordsOf(page.text)).toContain('503 payment_unavailable');
    const placed = await eventually(async () => {
      const next = await visitor.post(page.path, {});
      expect(next.path).toContain('/shop/orders/');
      return next;
    });
    expect(wordsOf(await shipped(visitor, placed))).toContain('capture €16.90');
  });

  test('an API that does not answer closes the shop, in words', async () => {
    const page = await openVisitor('http://127.0.0.1:9', shop.sandbox).get('/shop');
    expect(page.status).toBe(503);
    expect(page.headers.get('retry-after')).toBe('5');
    expect(wordsOf(page.text)).toContain('The shop is closed for a moment');
  });
});

describe('a card whose bank asks the shopper', () => {
  test('the page says so and leads to the bank and back, after which the order is placed', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { card: 'challenged' });
    const words = wordsOf(page.text);
    expect(words).toContain('waiting for you to confirm with your bank');
    expect(words).toMatch(/Confirm with your bank .* Time left: until \d\d:\d\d:\d\d UTC/);
    expect(words).toContain('202 payment_action_required');
    expect(words).not.toContain('Cancel the order');
    const { bank, back } = linksIn(page);
    expect(back).toBe(`${page.path}/confirm`);
    await decide(bank, 'authenticated');
    const placed = await visitor.get(back);
    expect(placed.path).toBe(page.path);
    expect(wordsOf(placed.text)).toContain('Thank you! It is confirmed, and your order is placed');
    expect(wordsOf(placed.text)).not.toContain('Go to your bank');
    await shipped(visitor, page);
  });

  test('an order of a shopper who does not come back is finished by the webhook', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { card: 'challenged' });
    const url = `${api.url}/callbacks/payments`;
    shop.sandbox.aimPaymentsWebhook({ url, secret: WEBHOOK_SECRET });
    await decide(linksIn(page).bank, 'authenticated');
    expect(await shipped(visitor, page)).not.toContain('200 order placed');
  });

  test.each([
    ['challenged', 'failed', 'It was not confirmed with your bank.'],
    ['challenged-declined', 'authenticated', 'there is not enough money on this card'],
  ] as const)('a card %s, %s at the bank, is declined in words', async (card, outcome, why) => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { card });
    const { bank, back } = linksIn(page);
    await decide(bank, outcome);
    const words = wordsOf((await visitor.get(back)).text);
    expect(words).toContain('Your card was declined');
    expect(words).toContain(why);
    expect(words).toContain('Declined; the units are free again');
  });

  test('the button of those who come back too early says that the bank still waits', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { card: 'challenged' });
    const { path, text } = await visitor.post(`${page.path}/confirm`, {});
    expect(path).toBe(page.path);
    expect(text.match(/202 payment_action_required/g)).toHaveLength(2);
  });
});

describe('trouble', () => {
  test('a warehouse that is down is tried again until the order ships, and each attempt is shown', async () => {
    const visitor = visit();
    const page = await buy(visitor, 'mug-white', { trouble: 'warehouse-down' });
    expect(wordsOf(page.text)).toContain('Trouble made: The warehouse is down');
    const words = await shipped(visitor, page);
    expect(words).toContain('warehouse/ship: down, the connection is cut; attempt 3');
    expect(words).toContain('warehouse/ship: done; attempt 4');
  });

  test('a refusal to ship is compensated, and the page says what was given back', async () => {
    const visitor = visit();
    const { path } = await buy(visitor, 'mug-white', { trouble: 'warehouse-refuses' });
    await eventually(async () => {
      const words = wordsOf((await visitor.get(path)).text);
      expect(words).toContain('The order is being cancelled: the warehouse refuses to ship');
      expect(words).toContain('Compensation: the money is refunded');
      expect(words).toContain('Cancelled, with nothing left behind');
    });
  });

  test('an order of which one unit is missing is sent as far as it is there, and says what is paid', async () => {
    const visitor = visit();
    await visitor.post('/shop/basket', { sku: 'mug-white', quantity: '1' });
    const partly = { trouble: 'goods-short', fulfillment: 'ship_available' };
    const page = await buy(visitor, 'mug-white', partly);
    const words = await shipped(visitor, page);
    expect(words).toMatch(/1 of 2 items are sent; you pay €14\.45/);
    expect(words).toContain('only 1 there');
    // The next order finds everything there.
    await shipped(visitor, await buy(visitor, 'mug-white'));
  });

  test('trouble that lasts is shown on every page, and one for an order is taken back with it', async () => {
    const visitor = visit();
    const lasting = { trouble: 'mail-down', lasts: 'always' };
    await buy(visitor, 'mug-white', lasting);
    const words = wordsOf((await visitor.get('/shop')).text);
    expect(words).toContain('Trouble is on. Mail server, send: cuts the connection');
    expect(shop.sandbox.faults.list()).toMatchObject([{ operation: 'send', mode: 'down' }]);
    shop.sandbox.faults.clear();
    await buy(visitor, 'mug-white', { trouble: 'warehouse-down', card: 'declined' });
    expect(shop.sandbox.faults.list()).toEqual([]);
  });

  test('the sandbox accepts every trouble that the shop offers', () => {
    for (const { place, fault } of TROUBLES.flatMap(({ faults }) => faults)) {
      shop.sandbox.faults.set(place, fault);
    }
    expect(shop.sandbox.faults.list().length).toBeGreaterThan(5);
  });
});

function visit(): Visitor {
  return openVisitor(api.url, shop.sandbox);
}

/** Where the page leads to at the bank, and the path that the bank's page leads back to. */
function linksIn({ text }: Page): { readonly bank: URL; readonly back: string } {
  const [, href = ''] = /href="([^"]+return_url=[^"]+)"/.exec(text) ?? [];
  const bank = new URL(href.replaceAll('&amp;', '&'));
  return { bank, back: new URL(bank.searchParams.get('return_url') ?? '').pathname };
}

/** What the shopper does on the page of the bank, without going back. */
async function decide(bank: URL, outcome: 'authenticated' | 'failed'): Promise<void> {
  const url = new URL(`/payments/intents/${bank.pathname.split('/').at(-1)}/challenge`, bank);
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ outcome }) });
  expect(response.status).toBe(200);
}

/** The words of the order's page once it has shipped. */
async function shipped(visitor: Visitor, { path }: Page): Promise<string> {
  return eventually(async () => {
    const words = wordsOf((await visitor.get(path)).text);
    expect(words).toContain('Shipped: ');
    return words;
  });
}
