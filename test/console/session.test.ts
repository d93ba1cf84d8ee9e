import { generateSignedCookie } from 'hono/cookie';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { createApiKey, revokeApiKey, type Role } from '../../prisma/access/api-keys.ts';
import { CONCURRENCY_LIMITS } from '../../api/limits/request-class.ts';
import { connected, permitOf } from '../api/low-limits.ts';
import { eventually } from '../support/eventually.ts';
import { paidOrder } from '../support/orders.ts';
import { CIPHER, openShopForTest, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop();

/** A browser's form on our own page by default. */
function post(path: string, fields: Readonly<Record<string, string>>, headers = {}) {
  return createApp(shop.services).request(path, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers: { origin: 'http://localhost', ...headers },
  });
}

function get(path: string, cookie: string, headers = {}) {
  return createApp(shop.services).request(path, { headers: { cookie, ...headers } });
}

async function signIn(key = 'hf_local_operator'): Promise<string> {
  const response = await post('/console/sign-in', { key });
  expect(response.status).toBe(303);
  return cookieOf(response);
}

function cookieOf(response: Response): string {
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

function keyOf(role: Role) {
  return createApiKey(shop.db, { role, name: `a ${role}` });
}

describe('signing in', () => {
  test('an operator signs in with an API key and sees the console under a strict policy', async () => {
    const response = await get('/console', await signIn());
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(response.headers.get('cache-control')).toBe('no-store');
    const page = await response.text();
    expect(page).toContain('(operator)');
    expect(page).not.toMatch(/<style|style="|<script>|\son\w+="/);
  });

  test('the session is a cookie for the console alone that no script and no other site can use', async () => {
    const response = await post('/console/sign-in', { key: 'hf_local_operator' });
    expect(response.headers.get('set-cookie')).toMatch(
      /^holdfast_console=\S+; Max-Age=43200; Path=\/console; HttpOnly; SameSite=Strict$/,
    );
    const production = await openShopForTest({ production: true });
    const { key } = await createApiKey(production.db, { role: 'operator', name: 'o' });
    const secure = await createApp(production.services).request('/console/sign-in', {
      method: 'POST',
      body: new URLSearchParams({ key }),
      headers: { origin: 'http://localhost' },
    });
    expect(secure.headers.get('set-cookie')).toContain('; Secure');
  });

  test('an unknown key is refused with what to do, and gives no session', async () => {
    const response = await post('/console/sign-in', { key: 'hf_wrong' });
    expect(response.status).toBe(401);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await response.text()).toContain('npm run keys -- add');
  });

  test('a storefront key is refused, because the console is for operators', async () => {
    const response = await post('/console/sign-in', { key: 'hf_local_storefront' });
    expect(response.status).toBe(403);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test('after the sign-in the page that was asked for is shown, and never one of another site', async () => {
    const asked = await get('/console/orders?status=paid', '');
    expect(asked.status).toBe(303);
    const signInPage = asked.headers.get('location') ?? '';
    expect(signInPage).toBe('/console/sign-in?next=%2Fconsole%2Forders%3Fstatus%3Dpaid');
    const back = await post(signInPage, { key: 'hf_local_operator' });
    expect(back.headers.get('location')).toBe('/console/orders?status=paid');
    for (const next of ['https://evil.example', '//evil.example', '/v1/orders']) {
      const path = `/console/sign-in?next=${encodeURIComponent(next)}`;
      const response = await post(path, { key: 'hf_local_operator' });
      expect(response.headers.get('location')).not.toContain('evil');
      expect(response.headers.get('location')).toMatch(/^\/console/);
    }
  });

  test('a part of a page that is asked for without a session leads the whole page to the sign-in', async () => {
    for (const page of ['/console/orders', 'http://[']) {
      const headers = { 'hx-request': 'true', 'hx-current-url': page };
      const response = await get('/console?part=newest', '', headers);
      expect(response.status).toBe(401);
      expect(response.headers.get('hx-redirect')).toContain('/console/sign-in');
    }
  });
});

describe('a session', () => {
  test('a revoked key is signed out at its next request', async () => {
    const { key, id } = await keyOf('operator');
    const cookie = await signIn(key);
    expect((await get('/console', cookie)).status).toBe(200);
    await revokeApiKey(shop.db, id);
    expect((await get('/console', cookie)).status).toBe(303);
  });

  test('a cookie that is changed, expired, or signed with another key is no session', async () => {
    const { id } = await keyOf('operator');
    const [secret] = CIPHER.deriveKeys('console session');
    const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;
    const signed = async (value: string, by = secret ?? '') =>
      (await generateSignedCookie('holdfast_console', value, by)).split(';')[0] ?? '';
    const good = await signed(`${id}.${inAnHour}`);
    expect((await get('/console', good)).status).toBe(200);
    const { id: admin } = await keyOf('admin');
    const refused = [
      good.replace(id, admin),
      await signed(`${id}.${inAnHour - 7_200}`),
      await signed(`${id}.`),
      await signed(id),
      await signed(`${id}.${inAnHour}`, new Uint8Array(32)),
      'holdfast_console=x',
    ];
    for (const cookie of refused) expect((await get('/console', cookie)).status).toBe(303);
  });

  test('a storefront key has no session, also if its cookie were signed', async () => {
    const { id } = await keyOf('storefront');
    const [secret = ''] = CIPHER.deriveKeys('console session');
    const value = `${id}.${Math.floor(Date.now() / 1_000) + 60}`;
    const cookie = (await generateSignedCookie('holdfast_console', value, secret)).split(';')[0];
    expect((await get('/console', cookie ?? '')).status).toBe(303);
  });

  test('signing out removes the cookie', async () => {
    const response = await post('/console/sign-out', {}, { cookie: await signIn() });
    expect(response.headers.get('location')).toBe('/console/sign-in');
    expect(response.headers.get('set-cookie')).toMatch(
      /^holdfast_console=; Max-Age=0; Path=\/console/,
    );
  });

  test('the cookie is no credential for the API', async () => {
    expect((await get('/v1/orders', await signIn())).status).toBe(401);
  });

  test('a form of another site is refused and does nothing', async () => {
    const cookie = await signIn();
    const { orderId: id } = await shop.order();
    const fields = { action: 'cancel', key: 'a key', reason: '' };
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: '' },
      { origin: 'null' },
    ]) {
      const response = await post(`/console/orders/${id}`, fields, { cookie, ...headers });
      expect(response.status).toBe(403);
    }
    const crossSite = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await post('/console/sign-in', { key: 'hf_local_operator' }, crossSite)).status).toBe(
      403,
    );
    expect((await shop.db.order.findUniqueOrThrow({ where: { id } })).cancelReason).toBeNull();
  });
});

describe('pages', () => {
  test.each(['', '/attention', '/orders', '/events', '/stock', '/health'])(
    'the page at /console%s is shown with its navigation',
    async (path) => {
      const response = await get(`/console${path}`, await signIn());
      expect(response.status).toBe(200);
      const page = await response.text();
      expect(page).toContain('aria-current="page"');
      expect(page).not.toContain('class="box bad"');
    },
  );

  test('every part of Home is shown, each on its own', async () => {
    const cookie = await signIn();
    const names = [...(await (await get('/console', cookie)).text()).matchAll(/\?part=([\w-]+)/g)];
    expect(names.length).toBeGreaterThan(7);
    for (const [, name = ''] of names) {
      const part = await get(`/console?part=${name}`, cookie, { 'hx-request': 'true' });
      expect(part.status).toBe(200);
      expect(await part.text()).not.toMatch(/<!doctype|class="box bad"/);
    }
  });

  test('an order is shown with its saga, and an unknown one as the problem of the API', async () => {
    const { orderId } = await shop.order();
    const cookie = await signIn();
    const page = await (await get(`/console/orders/${orderId}`, cookie)).text();
    expect(page).toContain('class="saga"');
    expect(page).toContain('Canary Person');
    expect(page).toMatch(/Messages in English, by mail, no consent to SMS\./);
    const unknown = await get('/console/orders/ord_none', cookie);
    expect(await unknown.text()).toContain('order_not_found');
  });

  test('text from a customer is shown as text', async () => {
    const name = '<script>alert(1)</script>';
    await shop.place({ customer: { email: 'xss@example.com', name } });
    const page = await (await get('/console/orders', await signIn())).text();
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).not.toContain(name);
  });

  test('an action of an operator is the same call as by the API, with its audit and its problems', async () => {
    const cookie = await signIn();
    const { orderId } = await shop.order();
    const refused = await post(
      `/console/orders/${orderId}`,
      { action: 'refund', key: 'k1', amount: '1', currency: 'EUR', reason: 'test' },
      { cookie },
    );
    expect(refused.status).toBe(409);
    expect(await refused.text()).toContain('not_refundable');
    const unknown = await post(`/console/orders/${orderId}`, { action: 'constructor' }, { cookie });
    expect(unknown.status).toBe(404);
    const absent = await get('/console/orders/ord_absent', cookie);
    expect(absent.status).toBe(404);
    expect(await absent.text()).toContain('order_not_found');
  });

  test('a form that is sent twice is one operation, and says the same both times', async () => {
    const cookie = await signIn();
    const id = await paidOrder(shop);
    const fields = { action: 'refund', key: 'k', amount: '5', currency: 'EUR', reason: 'test' };
    for (const _ of times(2, (nth) => nth)) {
      const response = await post(`/console/orders/${id}`, fields, { cookie });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('Refund of €5.00 accepted');
    }
    const refunds = await shop.db.refund.findMany({ where: { orderId: id } });
    expect(refunds).toMatchObject([{ amountMinor: 500, reason: 'test' }]);
  });

  test('pages take their permits from the class of the console and none from shoppers', async () => {
    const cookie = await signIn();
    const { other } = shop.services.limiters;
    const taken = times(CONCURRENCY_LIMITS.other.maxRunning, () => other.acquire(connected()));
    const permits = (await Promise.all(taken)).map(permitOf);
    const page = await (await get('/console/orders', cookie)).text();
    for (const permit of permits) permit.release();
    expect(page).not.toContain('overloaded');
    expect(page).toContain('class="filters"');
  });

  test('the files of the console are served with their types, and no other file', async () => {
    const page = await (await get('/console/sign-in', '')).text();
    const files = [...page.matchAll(/(?:href|src)="(\/console\/assets\/[^"]+)"/g)];
    expect(files.length).toBeGreaterThan(4);
    for (const [, href = ''] of files) {
      const file = await get(href, '');
      expect(file.status).toBe(200);
      expect(file.headers.get('cache-control')).toContain('immutable');
      expect((await file.text()).length).toBeGreaterThan(100);
    }
    expect((await get('/console/assets/package.json', '')).status).toBe(404);
  });

  test('an order that changes is streamed to the page of a session only', async () => {
    const { orderId } = await shop.order();
    const path = `/console/orders/${orderId}/live`;
    expect((await get(path, '')).status).toBe(303);
    const response = await get(path, await signIn());
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body?.getReader();
    const text = await eventually(async () =>
      new TextDecoder().decode((await reader?.read())?.value),
    );
    expect(text).toContain('id:');
    await reader?.cancel();
  });

  test('a console that is switched off does not exist', async () => {
    const app = createApp({ ...shop.services, console: false });
    expect((await app.request('/console')).status).toBe(404);
    expect((await app.request('/console/assets/htmx.js')).status).toBe(404);
  });
});
