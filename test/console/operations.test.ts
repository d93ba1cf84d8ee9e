import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { cursorNow } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { deadLetterFixture } from '../api/dead-letter-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { openCase, sendCaseWebhook } from '../support/cases.ts';
import { placedOrder, shippedOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop({ timeZone: 'Europe/Berlin' });
const cookies = new Map<string, string>();
let orderId: OrderId;

beforeAll(async () => {
  orderId = await placedOrder(shop);
  await untilReadable();
  await ensureSubscription(shop.db, {
    name: 'analytics',
    types: [],
    cursor: await cursorNow(shop.db),
  });
});
beforeEach(async () => {
  await shop.db.deadLetter.deleteMany({});
});

/** A cursor of now is before the order's events until no older transaction of the server runs. */
const untilReadable = (): Promise<void> =>
  eventually(async () => {
    expect((await page('/events?part=feed')).html).toContain('order.placed');
  });

async function cookieOf(role: 'operator' | 'admin'): Promise<string> {
  const known = cookies.get(role);
  if (known !== undefined) return known;
  const response = await shop.request('POST', '/console/sign-in', {
    ...form({ key: `hf_local_${role}` }),
    role: null,
  });
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
  cookies.set(role, cookie);
  return cookie;
}

function form(fields: Readonly<Record<string, string>>) {
  return {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'http://localhost' },
  };
}

async function page(path: string, role: 'operator' | 'admin' = 'operator') {
  const headers = { cookie: await cookieOf(role) };
  const response = await shop.request('GET', `/console${path}`, { role: null, headers });
  return { status: response.status, html: await response.text() };
}

/** Presses the button of a form: its outcome is the notice above the page. */
async function press(
  path: string,
  fields: Readonly<Record<string, string>>,
  role: 'operator' | 'admin' = 'operator',
) {
  const { body, headers } = form({ key: crypto.randomUUID(), ...fields });
  const response = await shop.request('POST', `/console${path}`, {
    role: null,
    body,
    headers: { ...headers, cookie: await cookieOf(role) },
  });
  const html = await response.text();
  const [, notice = ''] = /<div id="notice"[^>]*>([\s\S]*?)<\/div>/.exec(html) ?? [];
  return { status: response.status, html, notice };
}

/** The value of a hidden field, as a browser would send it. */
const valueOf = (html: string, name: string): string =>
  new RegExp(`name="${name}"\\s+value="([^"]*)"`).exec(html)?.[1]?.replaceAll('&quot;', '"') ?? '';

const statuses = async () => {
  const rows = await shop.db.deadLetter.groupBy({ by: 'status', _count: { _all: true } });
  return Object.fromEntries(rows.map(({ status, _count }) => [status, _count._all]));
};

describe('Attention', () => {
  const cause = 'analytics: HTTP N';
  const fields = { fingerprint: cause, rate: '100' };
  const failures = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      await deadLetterFixture(shop.db, orderId, { error: `HTTP ${500 + n}` });
    }
  };

  test('the page shows each cause once, with its number of failures, and escapes what failed', async () => {
    await failures(3);
    await deadLetterFixture(shop.db, orderId, { error: 'said <script>alert(1)</script>' });
    const { status, html } = await page('/attention');
    expect(status).toBe(200);
    expect(html.match(/Retry all…/g)).toHaveLength(2);
    expect(html).toMatch(/>3<span class="hidden"> open/);
    expect(html).toContain('said &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toContain('<script>alert');
  });

  test('a cause is retried after a dry run that changes nothing, and its progress is shown', async () => {
    await failures(3);
    const tried = await press('/attention', { action: 'try_redrive', ...fields });
    expect(tried.notice).toContain('Would retry 3 of 3');
    expect(await statuses()).toEqual({ open: 3 });
    const begun = await press('/attention', { action: 'redrive', ...fields });
    expect(begun.notice).toContain('Retrying 3, at most 100 a second');
    await eventually(async () => {
      const { html } = await page('/attention?part=redrives');
      expect(html).toMatch(/completed[\s\S]*3 of 3 retried/);
    });
    expect(await statuses()).toEqual({ redriven: 3 });
  });

  test('a cause is discarded with a note after a dry run, and not without a note', async () => {
    await failures(3);
    const tried = await press('/attention', { action: 'try_discard', ...fields });
    expect(tried.notice).toContain('Would discard 3');
    const bare = await press('/attention', { action: 'discard', ...fields });
    expect(bare).toMatchObject({ status: 409, notice: expect.stringContaining('/note') });
    expect(await statuses()).toEqual({ open: 3 });
    await press('/attention', { action: 'discard', ...fields, note: 'sent manually' });
    expect(await statuses()).toEqual({ discarded: 3 });
  });

  test('a single failure of a cause is retried from the list of that cause', async () => {
    await failures(2);
    const path = `/attention?cause=${encodeURIComponent(cause)}`;
    const { html } = await page(path);
    expect(html.match(/>\s*Decide\s*<\/summary>/g)).toHaveLength(2);
    const id = valueOf(html, 'id');
    const decided = await press(path, { action: 'decide', id, choice: 'retry' });
    expect(decided.notice).toContain('Retry of “analytics”: accepted');
    expect(await statuses()).toEqual({ open: 1, redriven: 1 });
  });

  test('more steps that wait for a person than a page holds are behind the link to older ones', async () => {
    for (let n = 0; n < 21; n += 1) {
      await deadLetterFixture(shop.db, orderId, { source: 'checkout', subject: `step${n}` });
    }
    const listed = (html: string) => new Set(html.match(/dl[a-z]*_\w{26}/g) ?? []);
    const first = (await page('/attention')).html;
    const [, older = ''] = /href="\/console(\/attention\?[^"]+)">Older/.exec(first) ?? [];
    expect(older).toContain('source=checkout');
    const { html } = await page(older.replaceAll('&amp;', '&'));
    expect(html.match(/>Decide</g)).toHaveLength(1);
    expect(new Set([...listed(first), ...listed(html)]).size).toBe(21);
  });

  test('a step that waits for a person is shown with the effect of each decision', async () => {
    await deadLetterFixture(shop.db, orderId, {
      source: 'checkout',
      subject: 'capturePayment',
      eventId: null,
      error: 'capture: refused',
    });
    const { html } = await page('/attention');
    expect(html).toContain('Treats the payment as captured manually');
    expect(html).not.toContain('value="discard"');
  });
});

describe('Events', () => {
  test('the feed shows the newest event first, and only the chosen type', async () => {
    const { html } = await page('/events?part=feed');
    expect(html.indexOf('order.placed')).toBeLessThan(html.indexOf('order.created'));
    const one = await page('/events?part=feed&types=order.created');
    expect(one.html).not.toContain('>order.placed<');
  });

  test('a subscription is paused, resumed and rewound under the key of the session', async () => {
    const name = 'analytics';
    await press('/events', { action: 'pause', name });
    expect((await page('/events?part=subscriptions')).html).toContain('paused');
    await press('/events', { action: 'resume', name });
    expect((await page('/events?part=subscriptions')).html).not.toContain('paused');
    const to = '2026-01-01T00:00';
    const rewound = await press('/events', { action: 'rewind', name, to });
    expect(rewound.notice).toContain('delivers the events since then again');
    const where = { subject: name, actor: 'operator/key_local_operator' };
    const entries = await shop.db.auditEntry.findMany({ where, orderBy: { id: 'asc' } });
    expect(entries.map(({ action }) => action)).toEqual([
      'subscription.paused',
      'subscription.resumed',
      'subscription.rewound',
    ]);
  });
});

describe('Stock and prices', () => {
  const path = '/stock/mug-white';

  test('the list leads to a product, page by page', async () => {
    const { html } = await page('/stock');
    expect(html).toContain('href="/console/stock/mug-white"');
    expect((await page('/stock?after=mug-white')).html).not.toContain('/console/stock/mug-white"');
  });

  test('a price is changed, and a second change by a form that is stale is refused with what to do', async () => {
    const etag = valueOf((await page(path, 'admin')).html, 'etag');
    const change = { action: 'price', etag };
    const changed = await press(path, { ...change, price: '14.50' }, 'admin');
    expect(changed.notice).toContain('€14.50');
    const stale = await press(path, { ...change, price: '1.00' }, 'admin');
    expect(stale).toMatchObject({ status: 409, notice: expect.stringContaining('Read it again') });
    expect(stale.html).toMatch(/name="price"[^>]*value="14.50"/);
  });

  test('prices in other currencies are added, changed and removed, each with the decimals of its currency', async () => {
    const own = { action: 'price', price: '12.00' };
    const etagOf = async () => valueOf((await page(path, 'admin')).html, 'etag');
    const added = await press(
      path,
      { ...own, etag: await etagOf(), other_currency: 'jpy', other_price: '1950' },
      'admin',
    );
    expect(added.notice).toContain('€12.00, ¥1,950');
    const two = { ...own, price_JPY: '2000', other_currency: 'KWD', other_price: '4.000' };
    expect((await press(path, { ...two, etag: await etagOf() }, 'admin')).notice).toMatch(
      /€12\.00, ¥2,000, KWD.4\.000/,
    );
    const wrong = { ...own, etag: await etagOf(), price_JPY: '19.50', price_KWD: '4.000' };
    expect((await press(path, wrong, 'admin')).notice).toContain('19.50&quot; is no price in JPY');
    const odd = { ...wrong, price_JPY: '', price_KWD: '4.005' };
    expect((await press(path, odd, 'admin')).notice).toContain('multiples of 10 minor units');
    const removed = await press(path, { ...own, etag: await etagOf() }, 'admin');
    expect(removed.notice).toMatch(/The price is €12\.00\./);
  });

  test('a price that is no amount, or by a key that may not, changes nothing', async () => {
    const etag = valueOf((await page(path, 'admin')).html, 'etag');
    const wrong = await press(path, { action: 'price', etag, price: '1.234' }, 'admin');
    expect(wrong.notice).toContain('is no price');
    const refused = await press(path, { action: 'price', etag, price: '2.00' });
    expect(refused.notice).toContain('forbidden');
    expect((await page(path)).html).toContain('disabled');
  });

  test('a product is archived by an administrator, said to be so, and sold again', async () => {
    const etag = valueOf((await page(path, 'admin')).html, 'etag');
    const archived = await press(path, { action: 'archive', etag, archived: 'true' }, 'admin');
    expect(archived.notice).toContain('archived');
    expect(archived.html).toContain('no order takes it');
    const now = { action: 'archive', etag: valueOf(archived.html, 'etag'), archived: 'false' };
    expect((await press(path, now, 'admin')).notice).toContain('sold again');
  });

  test('units are added once, however often the form is sent', async () => {
    const before = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
    const fields = { action: 'adjust', key: crypto.randomUUID(), delta: '5', reason: 'delivered' };
    await press(path, fields);
    const again = await press(path, fields);
    expect(again.status).toBe(200);
    const after = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
    expect(after.onHand - before.onHand).toBe(5);
  });
});

describe('Health', () => {
  test('the page shows readiness, limits, schedules and reconciliations, and runs the invariants apart', async () => {
    const { html } = await page('/health');
    for (const text of ['Readiness', 'Requests by class', 'Connections', 'Reconcile now']) {
      expect(html).toContain(text);
    }
    expect((await page('/health?part=invariants')).html).toMatch(/\d+ of \d+ hold/);
  });

  test('a reconciliation is started', async () => {
    const started = await press('/health', { action: 'reconcile', scope: 'recent' });
    expect(started.notice).toContain('The reconciliation (recent) is running');
  });
});

test('the charts of Home have their numbers as tables, and say when there are none', async () => {
  await shop.services.trends.sample(new Date());
  const { html } = await page('?part=charts');
  expect(html.match(/<figure class="chart">/g)).toHaveLength(4);
  // Whichever sample it fell in: the order of this file was answered within the last ten minutes.
  expect(html).toMatch(/Response to an order, ms[\s\S]*?<td>[\d.]+<\/td><td>[\d.]+<\/td>/);
});

describe('the money of an order', () => {
  test('an order whose shopper has to confirm the payment says so, and until when', async () => {
    const payment = { payment_method: 'pm_card_authenticationRequired' };
    const { order_id: id } = z
      .object({ order_id: z.string() })
      .parse(await (await shop.place(payment)).json());
    const { html } = await page(`/orders/${id}`);
    expect(html).toMatch(/The bank asks the shopper to confirm\.[\s\S]*in 14 min/);
    expect(html).toContain('waits for the shopper at the bank');
    expect(html).not.toContain('Workflow in Temporal');
  });

  test('units are refunded and back in stock, of what was shipped and is not refunded yet', async () => {
    const id = await shippedOrder(shop);
    const path = `/orders/${id}`;
    expect((await page(path)).html).toMatch(/max="2"[\s\S]*name="restock_0"/);
    const before = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
    const form = { action: 'refund_units', sku_0: 'mug-white', quantity_0: '1', restock_0: 'yes' };
    const done = await press(path, { ...form, reason: 'came back' });
    expect(done.notice).toContain('Refund of €12.00 accepted');
    const after = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
    expect(after.onHand).toBe(before.onHand + 1);
    expect(done.html).toContain('1 × mug-white, back in stock');
    expect(done.html).toContain('max="1"');
    const none = await press(path, { ...form, quantity_0: '0', reason: 'nothing' });
    expect(none).toMatchObject({ status: 409, notice: 'Enter how many units to refund.' });
  });

  test('a dispute is shown with what can be done, counted on Home, and listed where attention is asked', async () => {
    const id = await shippedOrder(shop);
    const opened = await openCase(shop, id, ['disputes', {}]);
    await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    const { html } = await page(`/orders/${id}`);
    expect(html).toMatch(/Dispute<\/strong>\s+<span class="badge bad">needs response/);
    expect(html).toContain('<strong>Respond</strong>');
    expect(html).toMatch(/Taken back by the bank<\/dt>\s*<dd>€24\.00/);
    // Nothing is left that could be refunded.
    expect(html).not.toContain('Refund money');
    for (const path of ['/attention', '/orders?payment_case=open']) {
      expect((await page(path)).html, path).toContain(`/console/orders/${id}`);
    }
    await eventually(async () => {
      expect((await page('?part=cases')).html).toContain('open cases: dispute 1');
    });
  });
});

describe('Jobs', () => {
  const fields = { type: 'refunds', from: '2026-01-01', to: '2026-02-01' };

  test('a report is requested by the form, has a bar, and is cancelled; one with a wrong window is refused', async () => {
    const requested = await press('/jobs', { action: 'request', ...fields });
    expect(requested.notice).toMatch(/Requested: rep_/);
    // Winter, when the shop is an hour ahead.
    const days = { from: '2025-12-31T23:00:00.000Z', to: '2026-01-31T23:00:00.000Z' };
    const params = { ...days, time_zone: 'Europe/Berlin' };
    expect(await shop.db.job.findMany()).toMatchObject([{ params }]);
    const { html } = await page('/jobs');
    expect(html).toContain('Days in Europe/Berlin');
    expect(html).toMatch(/<progress max="100" +aria-label="report: refunds/);
    const [kind, id] = [valueOf(html, 'kind'), valueOf(html, 'id')];
    const cancelled = await press('/jobs', { action: 'cancel', kind, id });
    expect(cancelled.notice).toContain('It is cancelled');
    const refused = await press('/jobs', { action: 'resume', kind, id });
    expect(refused).toMatchObject({
      status: 409,
      notice: expect.stringContaining('before it began'),
    });
    const wrong = await press('/jobs', { action: 'request', ...fields, to: '2025-01-01' });
    expect(wrong).toMatchObject({ status: 409, notice: expect.stringContaining('/to') });
  });

  test('jobs beyond the newest ten of a kind are behind the link to older ones', async () => {
    await shop.db.job.deleteMany({});
    for (let n = 0; n < 11; n += 1) await press('/jobs', { action: 'request', ...fields });
    const idsIn = (html: string) => new Set(html.match(/<code>rep_\w{26}/g) ?? []);
    const first = (await page('/jobs')).html;
    const [, older = ''] = /href="\/console(\/jobs\?[^"]+)">Older: reports/.exec(first) ?? [];
    const { html } = await page(older.replaceAll('&amp;', '&'));
    expect([idsIn(first).size, idsIn(html).size]).toEqual([10, 1]);
    expect(new Set([...idsIn(first), ...idsIn(html)]).size).toBe(11);
    expect(html).not.toContain('Older:');
  });
});
