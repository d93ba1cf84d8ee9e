import { expect, test } from 'vitest';
import { OPERATIONS, PROVIDERS } from '../../local/sandbox/faults.ts';
import { openSandbox } from './shop.ts';

test('the index page lists faults and operations, and every link on it works', async () => {
  const sandbox = await openSandbox();
  sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'down' });
  const page = await fetch(`${sandbox.url}/`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  const text = await page.text();
  expect(text).toContain('warehouse/ship: down, fired 0 times');
  for (const provider of PROVIDERS) expect(text).toContain(OPERATIONS[provider].join(', '));
  const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, path]) => path);
  expect(links).toEqual(expect.arrayContaining(['/inbox', '/faults', '/ledger/payments']));
  for (const path of links) {
    const linked = await fetch(`${sandbox.url}${path}`);
    await linked.body?.cancel();
    expect([path, linked.status]).toEqual([path, 200]);
  }
});

test('the escaped curl command on the index page arms a fault', async () => {
  const sandbox = await openSandbox();
  const text = await (await fetch(`${sandbox.url}/`)).text();
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
