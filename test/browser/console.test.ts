/** The console in Chromium, on a whole system: what an operator sees and does. */
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createApiKey, revokeApiKey } from '../../prisma/access/api-keys.ts';
import { openSystem, type System } from '../e2e/system.ts';
import { eventually } from '../support/eventually.ts';
import { useOpened } from '../support/use-opened.ts';
import { noBrowser, useBrowser } from './support/browser.ts';
import { openConsole } from './support/console.ts';

const REFUSED = { mode: 'refuse' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const REFUND = { provider: 'payments', operation: 'refund' } as const;
const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const;

describe.skipIf(noBrowser)(
  `the console in a browser${noBrowser ? `: skipped, ${noBrowser}` : ''}`,
  () => {
    const browser = useBrowser();
    const system = useOpened(() => openSystem());
    afterEach(() => system.sandbox.faults.clear());

    test('a wrong key is refused with what to do, and an operator signs in and out', async () => {
      const { page, expectClean } = await browser.open(`${system.api.url}/console`);
      await page.getByLabel('API key').fill('hf_wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('No active API key is like this').waitFor();
      await page.getByLabel('API key').fill('hf_local_operator');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Home' }).waitFor();
      await page.getByText('wait for a person').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.waitForURL(`${system.api.url}/console/sign-in`);
      expect(await page.context().cookies()).toEqual([]);
      // The browser itself reports the 401 of the wrong key.
      await expectClean({ except: /status of 401/ });
    });

    test('an order is found by the search, and its saga is seen to end while the page is open', async () => {
      system.sandbox.faults.set(SHIP, { mode: 'latency', latency_ms: 3_000, times: 1 });
      const id = await placed(system);
      const { page, expectClean } = await openConsole(browser, {
        url: system.api.url,
        path: '/orders',
      });
      await page.getByRole('searchbox').fill('canary.person');
      await page.keyboard.press('Enter');
      await page.locator(`a[href="/console/orders/${id}"]`).click();
      await page.locator('main[data-live]').waitFor();
      // Without a reload: the page follows the events.
      await page
        .locator('.step.forward', { hasText: 'Ship' })
        .filter({ hasText: 'done' })
        .waitFor();
      await page.locator('main:not([data-live])').waitFor();
      expect(await page.locator('.step.forward.done').count()).toBe(6);
      await expectClean();
    });

    test('a compensated order shows what failed and each compensation, on a phone in the dark, too', async () => {
      system.sandbox.faults.set(SHIP, REFUSED);
      const id = await placed(system);
      await settled(system, id, 'cancelled');
      for (const options of [{}, PHONE]) {
        const at = { url: system.api.url, path: `/orders/${id}` };
        const { page, expectClean } = await openConsole(browser, at, options);
        await page
          .locator('.step.forward.failed', { hasText: 'refused by the warehouse' })
          .waitFor();
        const compensated = page.locator('.step.backward.compensated');
        expect(await compensated.allInnerTexts()).toEqual([
          expect.stringContaining('Release units'),
          expect.stringContaining('Release'),
          expect.stringContaining('Refund'),
        ]);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(
          page.viewportSize()?.width,
        );
        await expectClean();
      }
    });

    test('an order that waits for a person is resolved with a note, and the page shows how it ends', async () => {
      system.sandbox.faults.set(SHIP, REFUSED);
      system.sandbox.faults.set(REFUND, REFUSED);
      const id = await placed(system);
      await settled(system, id, 'needs_attention');
      system.sandbox.faults.clear();
      const at = { url: system.api.url, path: `/orders/${id}` };
      const { page, expectClean } = await openConsole(browser, at);
      await page.getByRole('heading', { name: /Waits for a person/ }).waitFor();
      await expectClean();
      await page.getByLabel(/Note/).fill('the account has funds again');
      await page.getByRole('button', { name: 'Retry' }).click();
      const notice = page.getByRole('status');
      await notice.getByText('accepted').waitFor();
      expect(
        await notice.evaluate((element) => element === element.ownerDocument.activeElement),
      ).toBe(true);
      await page.locator('.badge', { hasText: 'cancelled' }).first().waitFor();
      await page.getByText('the account has funds again').first().waitFor();
      await expectClean();
    });

    test('a page whose refresh is refused stays as it is and goes on following its order', async () => {
      system.sandbox.faults.set(SHIP, REFUSED);
      system.sandbox.faults.set(REFUND, REFUSED);
      const id = await placed(system);
      await settled(system, id, 'needs_attention');
      const path = `/orders/${id}`;
      const { page, expectClean } = await openConsole(browser, { url: system.api.url, path });
      const refresh = page.waitForResponse((response) => response.status() === 503);
      const overloaded = {
        status: 503,
        contentType: 'text/html',
        body: '<main id="main">No.</main>',
      };
      await page.route(`**/console${path}`, (route) => route.fulfill(overloaded), { times: 1 });
      await refresh;
      expect(await page.getByRole('heading', { name: /Waits for a person/ }).count()).toBe(1);
      system.sandbox.faults.clear();
      await decide(system, id, 'retry');
      await page.locator('.badge', { hasText: 'cancelled' }).first().waitFor();
      await page.locator('main:not([data-live])').waitFor();
      await expectClean({ except: /status of 503/ });
    });

    test('a refund that is pressed twice is one refund, and more than is left shows the problem', async () => {
      const id = await placed(system);
      await settled(system, id, 'shipped');
      const at = { url: system.api.url, path: `/orders/${id}` };
      const { page, expectClean } = await openConsole(browser, at);
      page.on('dialog', (dialog) => void dialog.accept());
      // Another form refunds units.
      const form = page.locator('details', { hasText: 'Refund money' });
      await page.locator('summary', { hasText: 'Refund money' }).click();
      await form.getByLabel('Amount in EUR').fill('5.00');
      await form.getByLabel(/Reason/).fill('scratched');
      await form.getByRole('button', { name: 'Refund', exact: true }).dblclick();
      await page.getByRole('status').getByText('Refund of €5.00 accepted').waitFor();
      // Its badge; the page is not loaded again.
      await page.locator('.badge', { hasText: 'succeeded' }).waitFor();
      const refunds = await system.db.refund.findMany({ where: { orderId: id } });
      expect(refunds).toMatchObject([{ amountMinor: 500 }]);
      await page.locator('summary', { hasText: 'Refund money' }).click();
      await form.getByLabel('Amount in EUR').fill('500');
      await form.getByLabel(/Reason/).fill('too much');
      await form.getByRole('button', { name: 'Refund', exact: true }).click();
      await page.getByRole('status').getByText('refund_exceeds_captured').waitFor();
      await expectClean({ except: /status of 409/ });
    });

    test('an operator whose key is revoked is led to the sign-in by the next part that loads', async () => {
      const { key, id } = await createApiKey(system.db, { role: 'operator', name: 'leaving' });
      const { page } = await openConsole(browser, { url: system.api.url, key });
      await page.getByText('wait for a person').waitFor();
      await revokeApiKey(system.db, id);
      // Without a click: Home loads its parts again.
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      expect(new URL(page.url()).pathname).toBe('/console/sign-in');
    });

    test('every page is reached and used by the keyboard alone', async () => {
      const { page, expectClean } = await openConsole(browser, { url: system.api.url });
      for (const name of ['Attention', 'Orders', 'Events', 'Stock', 'Health']) {
        await page.getByRole('link', { name, exact: true }).focus();
        await page.keyboard.press('Enter');
        await page.locator('a[aria-current="page"]', { hasText: name }).waitFor();
        await page.waitForLoadState('networkidle');
        await expectClean();
      }
      await page.reload();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => url.hash === '#main');
      expect(await page.locator('#main:focus').count()).toBe(1);
    });
  },
);

const orderBody = z.looseObject({ id: z.string(), status: z.string() });

async function placed(system: System): Promise<string> {
  const { status, body } = await system.place();
  expect(status).toBe(201);
  return orderBody.parse(body).id;
}

/** Through the API, not the page. */
async function decide(system: System, orderId: string, action: 'retry'): Promise<void> {
  const { body } = await system.operate('GET', `/v1/dead-letters?order_id=${orderId}`);
  const [deadLetter] = z.object({ data: z.array(orderBody) }).parse(body).data;
  const { status } = await system.operate('POST', `/v1/dead-letters/${deadLetter?.id}/redrive`, {
    action,
  });
  expect(status).toBe(202);
}

async function settled(system: System, id: string, status: string): Promise<void> {
  await eventually(async () => {
    expect(orderBody.parse((await system.read(id, 10)).body).status).toBe(status);
  });
}
