/** The demo shop and the sandbox's pages in Chromium, on a whole system: what a stranger sees and does. */
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { openSystem } from '../e2e/system.ts';
import { useOpened } from '../support/use-opened.ts';
import { noBrowser, useBrowser } from './support/browser.ts';

const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const;

describe.skipIf(noBrowser)(
  `the demo shop in a browser${noBrowser ? `: skipped, ${noBrowser}` : ''}`,
  () => {
    const browser = useBrowser();
    const system = useOpened(() => openSystem());
    afterEach(() => system.sandbox.faults.clear());

    const visit = (path = '/shop', options?: BrowserContextOptions) =>
      browser.open(`${system.sandbox.url}${path}`, options);

    test('an order in the shop is answered, and seen shipped while the page is open', async () => {
      const { page, expectClean } = await visit();
      await expectClean();
      await toCheckout(page);
      await expectClean();
      await buyButton(page).click();
      await page.getByRole('heading', { name: 'Thank you! Your order is placed' }).waitFor();
      // Without a reload: the page follows the order.
      await page.locator('#status').getByText('shipped').waitFor();
      await page.locator('#behind').getByText('Mail sent: shipped').waitFor();
      expect(await page.locator('#payments li').allInnerTexts()).toEqual([
        expect.stringContaining('authorize'),
        expect.stringContaining('capture'),
      ]);
      const rows = await page.locator('#behind li').all();
      const times = await Promise.all(rows.map((row) => row.getAttribute('data-at')));
      expect(times.map(Number)).toEqual(times.map(Number).toSorted((a, b) => a - b));
      await cancelButton(page).waitFor({ state: 'detached' });
      await expectClean();
    });

    test('a declined card is explained in words, on a phone in the dark, too', async () => {
      const { page, expectClean } = await visit('/shop', PHONE);
      await toCheckout(page);
      await page.getByLabel('Insufficient funds').check();
      await expectClean();
      await buyButton(page).click();
      await page.getByRole('heading', { name: 'Your card was declined' }).waitFor();
      await page.getByText('there is not enough money on this card').waitFor();
      expect(await overflow(page)).toBe(0);
      await expectClean();
    });

    test('no page of shop and sandbox scrolls sideways, on a phone, a tablet or a desktop', async () => {
      for (const path of ['/shop', '/', '/inbox', '/sms']) {
        const { page } = await visit(path);
        for (const width of [390, 576, 768, 1_024, 1_100, 1_400]) {
          await page.setViewportSize({ width, height: 900 });
          expect(await overflow(page), `${path} at ${width} px`).toBe(0);
        }
      }
    });

    test('a fault is switched on and off by its buttons, and the banner says so meanwhile', async () => {
      const { page, expectClean } = await visit('/');
      await page.getByRole('button', { name: 'Switch the fault at warehouse/ship on' }).click();
      await page.locator('#banner').getByText('Warehouse, ship: cuts the connection').waitFor();
      expect(system.sandbox.faults.list()).toMatchObject([{ operation: 'ship', mode: 'down' }]);
      await expectClean();
      await page.getByRole('button', { name: 'Switch the fault at warehouse/ship off' }).click();
      await page.locator('#banner').getByText('Trouble is on').waitFor({ state: 'detached' });
      expect(system.sandbox.faults.list()).toEqual([]);
    });

    test('a press that gets no answer, or an error, says so on the page', async () => {
      const { page } = await visit();
      const add = page.getByRole('button', { name: 'Add White mug to the basket' });
      const said = page.getByRole('alert');
      await page.route('**/shop/basket', (route) => route.abort());
      await add.click();
      await said.getByText('No answer came.').waitFor();
      await page.unroute('**/shop/basket');
      await page.route('**/shop/basket', (route) => route.fulfill({ status: 503 }));
      await add.click();
      await said.getByText('That did not work.').waitFor();
      await page.unroute('**/shop/basket');
      await add.click();
      await page.locator('#basket').getByText('White mug').waitFor();
      expect(await said.count()).toBe(0);
    });

    test('a refusal to ship is seen to be compensated, and the ledger has the refund', async () => {
      const { page, expectClean } = await visit();
      await toCheckout(page);
      await page.getByLabel('The warehouse refuses to ship').check();
      await buyButton(page).click();
      await page.locator('#behind').getByText('Cancelled, with nothing left behind').waitFor();
      const refunds = page.locator('#payments').getByText('refund', { exact: true });
      await refunds.waitFor();
      expect(await refunds.count()).toBe(1);
      await expectClean();
    });

    test('a shopper whose bank asks confirms on its page, and comes back to the placed order', async () => {
      const { page, expectClean } = await visit();
      await toCheckout(page);
      await page.getByLabel('Bank asks you to confirm').check();
      await buyButton(page).click();
      await page.getByRole('button', { name: 'Go to your bank' }).click();
      await page.getByRole('heading', { name: 'Confirm the payment' }).waitFor();
      await expectClean();
      await page.setViewportSize(PHONE.viewport);
      expect(await overflow(page)).toBe(0);
      await page.getByRole('button', { name: 'Complete authentication' }).press('Enter');
      await page.getByText('Thank you! It is confirmed, and your order is placed').waitFor();
      await page.locator('#status').getByText('shipped').waitFor();
      await expectClean();
    });

    test('Buy that is pressed twice at once gives one order', async () => {
      const before = await system.db.order.count();
      const { page, expectClean } = await visit();
      await toCheckout(page);
      await page.getByRole('button', { name: 'Buy, and press twice at once' }).click();
      await page.getByText('201 order placed').waitFor();
      expect(await page.locator('.outcome').count()).toBe(2);
      expect(await system.db.order.count()).toBe(before + 1);
      await page.locator('#status').getByText('shipped').waitFor();
      await expectClean();
    });

    test('the keyboard alone buys something', async () => {
      const { page } = await visit();
      await page.getByRole('button', { name: 'Add White mug to the basket' }).press('Enter');
      await page.getByRole('button', { name: 'Check out' }).press('Enter');
      await page.getByRole('radio', { name: /^Declined/ }).press('ArrowUp');
      await buyButton(page).press('Enter');
      await page.getByRole('heading', { name: 'Thank you! Your order is placed' }).waitFor();
      expect(new URL(page.url()).pathname).toMatch(/^\/shop\/orders\/ord_/);
    });

    test.each(['light', 'dark'] as const)(
      'inbox, ledger, sandbox and start page are accessible in the %s, at the width of a phone, too',
      async (colorScheme) => {
        const { page, expectClean } = await visit('/inbox', { colorScheme });
        const start = `${system.api.url}/`;
        for (const url of ['/inbox', '/ledger/payments', '/', start, `${start}docs/errors`]) {
          await page.goto(new URL(url, system.sandbox.url).href);
          await expectClean();
          await page.setViewportSize(PHONE.viewport);
          expect([url, await overflow(page)]).toEqual([url, 0]);
          await page.setViewportSize({ width: 1400, height: 900 });
        }
      },
    );

    test.each(['light', 'dark'] as const)(
      'the HTML of a mail is readable in the %s, in the inbox, alone and on a phone',
      async (colorScheme) => {
        const { page, expectClean } = await visit('/inbox', { colorScheme });
        const html = system.sandbox.inbox.mails().at(-1)?.html ?? '';
        expect(html).toContain('<table');
        const paper = "getComputedStyle(document.querySelector('iframe')).backgroundColor";
        const [mine, white] = [await page.evaluate(paper), 'rgb(255, 255, 255)'];
        expect(mine === white).toBe(colorScheme === 'light');
        // Where the inbox serves it no script runs, so axe neither.
        await page.route('**/mail.html', (route) =>
          route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }),
        );
        await page.goto(`${system.sandbox.url}/mail.html`);
        await expectClean();
        await page.setViewportSize(PHONE.viewport);
        expect(await overflow(page)).toBe(0);
        await expectClean();
      },
    );
  },
);

const buyButton = (page: Page) => page.getByRole('button', { name: 'Buy', exact: true });
const cancelButton = (page: Page) => page.getByRole('button', { name: 'Cancel the order' });

/** One white mug in the basket, at the checkout. */
async function toCheckout(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Add White mug to the basket' }).click();
  await page.getByRole('button', { name: 'Check out' }).click();
  await page.getByRole('heading', { name: 'Check out' }).waitFor();
}

/** By how many pixels the page is wider than the window. */
function overflow(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
}
