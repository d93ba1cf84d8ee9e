import { describe, expect, test } from 'vitest';
import { findProduct } from '../../prisma/catalog/products.ts';
import { findStock } from '../../prisma/catalog/stock.ts';
import { eventually } from '../support/eventually.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { openShopForTest, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const ADMIN = 'operator/key_local_admin';

const shop = useShop();

const put = (sku: string, changes: object = {}, headers: Record<string, string> = {}) =>
  shop.request('PUT', `/v1/products/${sku}`, {
    role: 'admin',
    body: { name: 'A thing', price_minor: 500, currency: 'EUR', ...changes },
    headers,
  });
const show = (sku: string, headers: Record<string, string> = {}) =>
  shop.request('GET', `/v1/products/${sku}`, { headers });
const adjust = (sku: string, delta: number, key: string = crypto.randomUUID()) =>
  shop.request('POST', `/v1/products/${sku}/stock`, {
    role: 'operator',
    key,
    body: { delta, reason: 'counted' },
  });

describe('a product', () => {
  test('a new product returns 201 and a replaced one 200, each with its entity tag', async () => {
    const added = await put('added');
    expect(added.status).toBe(201);
    expect(added.headers.get('etag')).toBe('"v1"');
    const replaced = await put('added', { price_minor: 700, description: 'Two\nlines' });
    expect(replaced.status).toBe(200);
    expect(replaced.headers.get('etag')).toBe('"v2"');
    expect(await (await show('added')).json()).toMatchObject({
      object: 'product',
      sku: 'added',
      price_minor: 700,
      description: 'Two\nlines',
      version: 2,
    });
  });

  test('20 concurrent puts of a product create it once and replace it 19 times without losing one', async () => {
    for (const sku of ['rushed-1', 'rushed-2', 'rushed-3']) {
      const prices = times(20, (at) => 100 + at);
      const responses = await Promise.all(prices.map((price_minor) => put(sku, { price_minor })));
      const added = responses.filter(({ status }) => status === 201);
      const replaced = responses.filter(({ status }) => status === 200);
      expect([added.length, replaced.length]).toEqual([1, 19]);
      const versions = responses.map(({ headers }) => headers.get('etag'));
      expect(new Set(versions)).toEqual(new Set(prices.map((_, at) => `"v${at + 1}"`)));
      const last = responses.find(({ headers }) => headers.get('etag') === '"v20"');
      const shown = await (await show(sku)).json();
      expect(await last?.json()).toEqual(shown);
      expect(await findStock(shop.db, sku)).toMatchObject({ onHand: 0, held: 0 });
    }
  });

  test('a product is privately cacheable for five seconds, and its current entity tag returns 304', async () => {
    const first = await show('mug-white');
    expect(first.headers.get('cache-control')).toMatch(/^private, max-age=5/);
    const tag = first.headers.get('etag') ?? '';
    const again = await show('mug-white', { 'if-none-match': tag });
    expect([again.status, again.headers.get('etag')]).toEqual([304, tag]);
  });

  test('a product change with an If-Match of another version is refused and changes nothing', async () => {
    await put('versioned');
    const stale = await put('versioned', { name: 'Stale' }, { 'if-match': '"v7"' });
    expect((await problemOf(stale)).code).toBe('precondition_failed');
    const garbled = await put('versioned', { name: 'Stale' }, { 'if-match': 'v1' });
    expect(garbled.status).toBe(412);
    expect((await put('never-seen', {}, { 'if-match': '*' })).status).toBe(412);
    expect((await findProduct(shop.db, 'versioned'))?.name).toBe('A thing');
    expect((await put('versioned', { name: 'New' }, { 'if-match': '"v1"' })).status).toBe(200);
    expect((await put('versioned', { name: 'Newer' }, { 'if-match': '*' })).status).toBe(200);
  });

  test('a price change in one process is read by the next request to another, once that is notified', async () => {
    await put('elsewhere');
    const other = await openShopForTest({ databaseUrl: shop.databaseUrl });
    const showThere = () => other.request('GET', '/v1/products/elsewhere');
    await eventually(async () => {
      const listening = await shop.db.$queryRaw`
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'
          AND application_name = 'holdfast listener' AND query = 'LISTEN holdfast_products'`;
      expect(listening).toHaveLength(2);
      expect((await showThere()).headers.get('cache-status')).toMatch(/^holdfast; hit; ttl=\d+$/);
    });
    const notified = new Promise<void>((resolve) => {
      other.services.notifications.subscribe('holdfast_products', (payload) => {
        if (payload !== null) resolve();
      });
    });
    expect((await put('elsewhere', { price_minor: 700 })).status).toBe(200);
    await notified;
    const seen = await showThere();
    expect(await seen.json()).toMatchObject({ price_minor: 700 });
    expect(seen.headers.get('cache-status')).toBe('holdfast; fwd=miss');
    expect((await showThere()).headers.get('cache-status')).toMatch(/^holdfast; hit; ttl=\d+$/);
  });

  test.each(['nope', 'a%20b', 'x'.repeat(65)])('the SKU %s is not found', async (sku) => {
    expect((await problemOf(await show(sku))).code).toBe('product_not_found');
    expect((await problemOf(await adjust(sku, 1))).code).toBe('product_not_found');
  });

  test('a product with an invalid price, currency, name, field, or SKU returns 422', async () => {
    for (const changes of [
      { price_minor: 0 },
      { currency: 'eur' },
      { name: ' ' },
      { color: 'red' },
    ]) {
      expect((await problemOf(await put('bad', changes))).status).toBe(422);
    }
    expect((await problemOf(await put('-bad'))).status).toBe(422);
  });
});

describe('an archived product', () => {
  const archive = (sku: string, archived: boolean, headers: Record<string, string> = {}) =>
    shop.request('PATCH', `/v1/products/${sku}`, { role: 'admin', body: { archived }, headers });
  const listed = async (query: string) =>
    (await listOf(await shop.request('GET', `/v1/products?limit=100${query}`))).data.map(
      ({ sku }) => sku,
    );

  test('an archived product is shown, listed only when asked for, and back again when it is restored', async () => {
    await shop.stock('retired', 5);
    const archived = await archive('retired', true, { 'if-match': '"v1"' });
    expect([archived.status, archived.headers.get('etag')]).toEqual([200, '"v2"']);
    expect(await (await show('retired')).json()).toMatchObject({ archived: true, version: 2 });
    expect(await listed('')).not.toContain('retired');
    expect(await listed('&archived=true')).toEqual(['retired']);
    expect(await listed('&archived=any')).toEqual(expect.arrayContaining(['mug-white', 'retired']));
    await put('retired', { price_minor: 900 });
    expect(await (await show('retired')).json()).toMatchObject({ archived: true });
    expect((await archive('retired', false)).status).toBe(200);
    expect(await listed('')).toContain('retired');
    const log = await shop.db.auditEntry.findMany({
      where: { subject: 'retired', action: { in: ['product.archived', 'product.restored'] } },
      orderBy: { id: 'asc' },
    });
    expect(log.map(({ action, data }) => [action, data])).toEqual([
      ['product.archived', { version: 2 }],
      ['product.restored', { version: 4 }],
    ]);
  });

  test('an archived product is refused at its line by orders and quotes, and an order that has it continues', async () => {
    await shop.stock('ending', 5);
    const lines = [
      { sku: 'mug-white', quantity: 1 },
      { sku: 'ending', quantity: 1 },
    ];
    const before = await shop.place({ lines });
    expect(before.status).toBe(201);
    await archive('ending', true);
    const problem = await problemOf(await shop.place({ lines }));
    expect(problem.errors).toMatchObject([
      { pointer: '#/lines/1/sku', detail: expect.stringContaining('archived') },
    ]);
    const quote = await shop.request('POST', '/v1/quotes', { body: { lines, currency: 'EUR' } });
    expect(await quote.json()).toMatchObject({
      id: null,
      problems: [{ pointer: '#/lines/1/sku', detail: expect.stringContaining('archived') }],
    });
    expect(await findStock(shop.db, 'ending')).toMatchObject({ onHand: 5, held: 1 });
    const { id } = await orderOf(before);
    const shown = await shop.request('GET', `/v1/orders/${id}`);
    expect(await shown.json()).toMatchObject({
      status: 'placed',
      lines: [{}, { sku: 'ending', name: 'ending' }],
    });
  });

  test('archiving with an If-Match of another version, or a product that does not exist, changes nothing', async () => {
    await put('kept');
    const stale = await archive('kept', true, { 'if-match': '"v2"' });
    expect((await problemOf(stale)).code).toBe('precondition_failed');
    const racing = await Promise.all(times(5, () => archive('kept', true, { 'if-match': '"v1"' })));
    expect(racing.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 412, 412, 412, 412,
    ]);
    expect((await problemOf(await archive('none', true))).code).toBe('product_not_found');
  });
});

describe('the audit log', () => {
  test('the audit log has each product and stock change once with its actor, and no refused change', async () => {
    const headers = { 'x-correlation-id': 'spring-sale' };
    await put('audited', {}, headers);
    await put('audited', { price_minor: 700 }, { ...headers, 'if-match': '"v1"' });
    await put('audited', { price_minor: 900 }, { 'if-match': '"v1"' });
    await adjust('audited', 5, 'audited');
    await adjust('audited', 5, 'audited');
    await adjust('audited', -6);
    const actions = await shop.db.auditEntry.findMany({
      where: { subject: 'audited' },
      orderBy: { id: 'asc' },
    });
    expect(actions.map(({ actor, action, data }) => [actor, action, data])).toEqual([
      [ADMIN, 'product.created', { price_minor: 500, currency: 'EUR', version: 1 }],
      [ADMIN, 'product.updated', { price_minor: 700, currency: 'EUR', version: 2 }],
      ['operator/key_local_operator', 'stock.adjusted', { delta: 5 }],
    ]);
    expect(actions.map(({ cause }) => cause).slice(0, 2)).toEqual(['spring-sale', 'spring-sale']);
  });
});

describe('the product list', () => {
  test('the product list pages through the catalog in SKU order, and each page returns 304 for its entity tag', async () => {
    const skus: unknown[] = [];
    let after = '';
    for (;;) {
      const response = await shop.request('GET', `/v1/products?limit=2${after}`);
      const { data, has_more: more } = await listOf(response.clone());
      skus.push(...data.map(({ sku }) => sku));
      const tag = response.headers.get('etag') ?? '';
      const again = await shop.request('GET', `/v1/products?limit=2${after}`, {
        headers: { 'if-none-match': tag },
      });
      expect(again.status).toBe(304);
      if (!more) break;
      after = `&starting_after=${String(skus.at(-1))}`;
    }
    const all = await shop.db.product.findMany({
      where: { archived: false },
      orderBy: { sku: 'asc' },
    });
    expect(skus).toEqual(all.map(({ sku }) => sku));
  });
});

describe('a search of the catalog', () => {
  test('a search finds products by words of the name or the SKU without case or accents, page by page', async () => {
    await put('tea-green-100', { name: 'Grüner Tee, 100 % lose' });
    await put('tea-green-50', { name: 'Grüner Tee, 50 g' });
    await put('tea-black', { name: 'Schwarzer Tee' });
    const found = async (query: string) => {
      const page = await listOf(await shop.request('GET', `/v1/products?${query}`));
      return [page.data.map(({ sku }) => sku), page.has_more];
    };
    const q = (text: string) => `q=${encodeURIComponent(text)}`;
    expect(await found(q('GRÜNER gruner'))).toEqual([['tea-green-100', 'tea-green-50'], false]);
    expect(await found(`${q('tea green')}&limit=1`)).toEqual([['tea-green-100'], true]);
    expect(await found(`${q('tea green')}&limit=1&starting_after=tea-green-100`)).toEqual([
      ['tea-green-50'],
      false,
    ]);
    expect(await found(q('50  tee'))).toEqual([['tea-green-50'], false]);
    // Nothing in a search is a pattern.
    expect(await found(q('100 %'))).toEqual([['tea-green-100'], false]);
    expect(await found(q('tea_'))).toEqual([[], false]);
    const empty = await shop.request('GET', '/v1/products?q=%20');
    expect((await problemOf(empty)).errors).toMatchObject([{ parameter: 'q' }]);
  });

  test.each([
    ['バッグ', '赤いバッグ', 'ハック'],
    ['किताब', 'नई किताब', 'कतब'],
    ['ที่', 'ที่นอน', 'ทนอน'],
    ['שלום', 'שָׁלוֹם', 'שלם'],
  ])('a search for %s finds the product %s, and not %s', async (query, name, other) => {
    await put('named', { name });
    await put('other', { name: other });
    const path = `/v1/products?q=${encodeURIComponent(query)}`;
    const { data } = await listOf(await shop.request('GET', path));
    expect(data.map(({ sku }) => sku)).toEqual(['named']);
  });
});

describe('the stock list', () => {
  const list = async (query: string) =>
    listOf(await shop.request('GET', `/v1/stock?${query}`, { role: 'operator' }));

  test('the stock list pages through the catalog in SKU order with what is held, available and sold today', async () => {
    await put('stocked-a', { name: 'Few of it', price_minor: 250 });
    await put('stocked-b');
    await adjust('stocked-a', 5);
    await shop.place({ lines: [{ sku: 'stocked-a', quantity: 2 }] });
    const hour = new Date(new Date().setUTCMinutes(0, 0, 0));
    const yesterday = new Date(hour.getTime() - 24 * 3_600_000);
    const sold = { sku: 'stocked-a', currency: 'EUR' };
    await shop.db.analyticsHour.createMany({
      data: [
        { ...sold, hour, units: 2 },
        { ...sold, currency: 'USD', hour, units: 3 },
        { ...sold, hour: yesterday, units: 70 },
      ],
    });
    const first = await list('limit=1&starting_after=stocked');
    expect(first.data).toEqual([
      {
        object: 'stock',
        sku: 'stocked-a',
        name: 'Few of it',
        price_minor: 250,
        currency: 'EUR',
        on_hand: 5,
        held: 2,
        available: 3,
        sold_today: 5,
      },
    ]);
    expect(first.has_more).toBe(true);
    const rest = await list('limit=1&starting_after=stocked-a');
    expect(rest.data).toMatchObject([{ sku: 'stocked-b', available: 0, sold_today: 0 }]);
  });

  test('the stock list has only products with few units available when asked for those', async () => {
    await put('few-a');
    await adjust('few-a', 4);
    const few = async (below: number) =>
      (await list(`limit=100&available_below=${below}`)).data.map(({ sku }) => sku);
    expect(await few(4)).not.toContain('few-a');
    expect(await few(5)).toContain('few-a');
    const response = await shop.request('GET', '/v1/stock?available_below=x', { role: 'operator' });
    expect((await problemOf(response)).errors).toMatchObject([{ parameter: 'available_below' }]);
  });
});

describe('stock', () => {
  test('every stock change is a movement, and the sum of the movements is the quantity on hand', async () => {
    await put('counted');
    expect(await (await adjust('counted', 10)).json()).toEqual({
      object: 'stock',
      sku: 'counted',
      on_hand: 10,
      held: 0,
      available: 10,
    });
    expect((await adjust('counted', -4)).status).toBe(200);
    const sum = await shop.db.stockMovement.aggregate({
      where: { sku: 'counted' },
      _sum: { delta: true },
    });
    expect(sum._sum.delta).toBe(6);
    const shown = await shop.request('GET', '/v1/products/counted/stock', { role: 'operator' });
    expect(await shown.json()).toMatchObject({ on_hand: 6 });
  });

  test('30 concurrent stock changes with one key record one movement and get the same response', async () => {
    await put('once');
    const responses = await Promise.all(times(30, () => adjust('once', 5, 'once')));
    const done = responses.filter(({ status }) => status === 200);
    expect(done.length).toBeGreaterThan(0);
    expect(new Set(await Promise.all(done.map((each) => each.text()))).size).toBe(1);
    expect(await shop.db.stockMovement.count({ where: { sku: 'once' } })).toBe(1);
    const replay = await adjust('once', 5, 'once');
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect((await problemOf(await adjust('once', 6, 'once'))).code).toBe('idempotency_key_reused');
  });

  test('ten concurrent stock changes with one key that take the last units all return the same 200', async () => {
    await shop.stock('last', 5);
    const responses = await Promise.all(times(10, () => adjust('last', -5, 'take')));
    expect(responses.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(new Set(await Promise.all(responses.map((each) => each.text()))).size).toBe(1);
  });

  test('a stock change that would take held units is refused with the available quantity', async () => {
    await shop.stock('promised', 3);
    expect((await shop.place({ lines: [{ sku: 'promised', quantity: 2 }] })).status).toBe(201);
    expect(await problemOf(await adjust('promised', -2))).toMatchObject({
      code: 'stock_not_available',
      stock: { on_hand: 3, held: 2, available: 1 },
    });
    expect((await adjust('promised', -1)).status).toBe(200);
  });

  test('a stock change beyond the maximum quantity returns 409', async () => {
    await put('countless');
    for (const status of [200, 200, 409]) {
      expect((await adjust('countless', 1_000_000_000)).status).toBe(status);
    }
  });

  test('a stock change of zero returns 422, and one without a key is refused', async () => {
    expect((await problemOf(await adjust('mug-white', 0))).status).toBe(422);
    const body = { delta: 1, reason: 'x' };
    const request = { role: 'operator', body } as const;
    const response = await shop.request('POST', '/v1/products/mug-white/stock', request);
    expect((await problemOf(response)).code).toBe('idempotency_key_required');
  });
});
