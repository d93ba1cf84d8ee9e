import { expect, test } from 'vitest';
import { MODES, OPERATIONS, PROVIDERS } from '../../local/sandbox/faults.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { MODE_WORDS } from '../../local/web/fault-words.ts';
import { authorize, openSandbox, stripeOf } from './shop.ts';

const SHIP = { provider: 'warehouse', operation: 'ship' } as const;

test('the index page has a switch for every operation, and every link on it works', async () => {
  const sandbox = await openSandbox();
  sandbox.faults.set(SHIP, { mode: 'down' });
  const { text } = await page(sandbox, '/');
  expect(text).toContain('cuts the connection, without effect (until it is switched off)');
  for (const provider of PROVIDERS) {
    for (const operation of OPERATIONS[provider]) {
      expect(text).toContain(`action="/faults/${provider}/${operation}"`);
    }
  }
  const links = [...text.matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, path]) => path ?? '');
  expect(links).toEqual(
    expect.arrayContaining(['/inbox', '/faults', '/ledger/payments', '/assets/pages.css']),
  );
  for (const path of links) expect([path, (await page(sandbox, path)).status]).toEqual([path, 200]);
});

test('a page loads nothing from elsewhere and runs nothing inline', async () => {
  const sandbox = await openSandbox();
  for (const path of ['/', '/inbox', '/ledger/mail']) {
    const { text, headers } = await page(sandbox, path);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(text).not.toMatch(/<style|style="|<script>|onclick=/);
    expect(text).not.toMatch(/(?:href|src)="https?:/);
  }
});

test('every mode of a fault has words', () => {
  expect(Object.keys(MODE_WORDS).toSorted()).toEqual([...MODES].toSorted());
});

test('a switch on the page arms a fault and removes it again', async () => {
  const sandbox = await openSandbox();
  const armed = await send(sandbox, '/faults/warehouse/ship', {
    switch: 'on',
    mode: 'late',
    times: '2',
    latency_ms: '',
  });
  expect(armed.status).toBe(200);
  expect(sandbox.faults.list()).toMatchObject([{ ...SHIP, mode: 'late', times: 2 }]);
  expect(armed.text).toContain('Warehouse, ship: acts late (2 times more)');
  const off = { switch: 'off', mode: 'late', times: '', latency_ms: '' };
  const removed = await send(sandbox, '/faults/warehouse/ship', off);
  expect(sandbox.faults.list()).toEqual([]);
  expect(removed.text).not.toContain('Trouble is on');
});

test('the banner switches all faults off and leads back to its own page only', async () => {
  const sandbox = await openSandbox();
  for (const back of ['/inbox', 'https://elsewhere.example/', '//elsewhere.example']) {
    sandbox.faults.set(SHIP, { mode: 'down' });
    const { path } = await send(sandbox, '/faults', { back });
    expect(path).toBe(back === '/inbox' ? '/inbox' : '/');
    expect(sandbox.faults.list()).toEqual([]);
  }
});

test('a form of another origin changes nothing', async () => {
  const sandbox = await openSandbox();
  sandbox.faults.set(SHIP, { mode: 'down' });
  const refused = await send(sandbox, '/faults', {
    back: '/',
    origin: 'https://elsewhere.example',
  });
  expect(refused.status).toBe(403);
  expect(sandbox.faults.list()).toHaveLength(1);
});

test('a used-up fault is not shown as trouble', async () => {
  const sandbox = await openSandbox();
  sandbox.faults.set(SHIP, { mode: 'down', times: 1 });
  expect((await page(sandbox, '/')).text).toContain('Trouble is on');
  sandbox.faults.trigger(SHIP);
  expect((await page(sandbox, '/')).text).not.toContain('Trouble is on');
});

test('a ledger page shows the effects of one order to a browser, and JSON to a program', async () => {
  const sandbox = await openSandbox();
  const stripe = stripeOf(sandbox);
  await authorize(stripe, { orderId: 'ord_1' });
  await authorize(stripe, { orderId: 'ord_2' });
  const { text } = await page(sandbox, '/ledger/payments?order=ord_1');
  expect(text).toContain('€12.00');
  expect(text).toContain('ord_1/authorize');
  expect(text).not.toContain('ord_2');
  const json: unknown = await (await fetch(`${sandbox.url}/ledger/payments`)).json();
  expect(json).toMatchObject({ effects: [{ order_id: 'ord_1' }, { order_id: 'ord_2' }] });
});

test('a ledger page writes the amount of each currency as people do, and JSON has Stripe\u2019s', async () => {
  const sandbox = await openSandbox();
  const stripe = stripeOf(sandbox);
  const amounts = { isk: 250_000, mga: 2_500, jpy: 2_500, kwd: 2_500 };
  for (const [currency, amount] of Object.entries(amounts)) {
    await authorize(stripe, { orderId: `ord_${currency}`, currency, amountMinor: amount });
  }
  const { text } = await page(sandbox, '/ledger/payments');
  for (const written of ['ISK.2,500<', 'MGA.2,500\\.00<', '¥2,500<', 'KWD.2\\.500<']) {
    expect(text).toMatch(new RegExp(written));
  }
  const json: unknown = await (await fetch(`${sandbox.url}/ledger/payments`)).json();
  expect(json).toMatchObject({
    effects: Object.values(amounts).map((amount_minor) => ({ amount_minor })),
  });
});

test('a button of the page moves the clock', async () => {
  const sandbox = await openSandbox();
  await send(sandbox, '/clock', { advance_ms: '3600000' });
  expect(sandbox.clock.offsetMs()).toBe(3_600_000);
  await send(sandbox, '/clock', { offset_ms: '0' });
  expect(sandbox.clock.offsetMs()).toBe(0);
});

test('the escaped curl command on the index page arms a fault', async () => {
  const sandbox = await openSandbox();
  const { text } = await page(sandbox, '/');
  const [, path, body] =
    /curl -X PUT http[^ ]+?(\/faults[^ ]+) -d &#39;(.+?)&#39;/.exec(text) ?? [];
  const armed = await fetch(`${sandbox.url}${path}`, {
    method: 'PUT',
    body: body?.replaceAll('&quot;', '"') ?? null,
  });
  expect(armed.status).toBe(200);
  expect(sandbox.faults.list()).toMatchObject([{ operation: 'ship', mode: 'down' }]);
  expect(text).toContain(`curl -X DELETE ${sandbox.url}/faults`);
});

interface Page {
  readonly status: number;
  readonly path: string;
  readonly headers: Headers;
  readonly text: string;
}

/** As a browser asks for it. */
async function page(sandbox: Sandbox, path: string, init: RequestInit = {}): Promise<Page> {
  const headers = new Headers(init.headers);
  headers.set('accept', 'text/html');
  const response = await fetch(`${sandbox.url}${path}`, { ...init, headers });
  const { status, url } = response;
  const ended = new URL(url);
  const text = await response.text();
  return { status, path: `${ended.pathname}${ended.search}`, headers: response.headers, text };
}

/** A form of a page of this origin, or of `origin`. */
function send(
  sandbox: Sandbox,
  path: string,
  { origin = sandbox.url, ...form }: Readonly<Record<string, string>>,
): Promise<Page> {
  const body = new URLSearchParams(form);
  return page(sandbox, path, { method: 'POST', headers: { origin }, body });
}
