/** The pages by which a shop is operated: failed work, subscriptions, prices, charts. */
import type { Page, Route } from 'playwright-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { listen } from '../../api/server.ts';
import type { OrderId } from '../../domain/ids.ts';
import { cursorNow } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { deadLetterFixture } from '../api/dead-letter-fixture.ts';
import { placedOrder } from '../support/orders.ts';
import { choosePort } from '../support/ports.ts';
import { useShop } from '../support/shop.ts';
import { useOpened } from '../support/use-opened.ts';
import { noBrowser, useBrowser } from './support/browser.ts';
import { openConsole } from './support/console.ts';

describe.skipIf(noBrowser)('the console in a browser', () => {
  const shop = useShop();
  const served = useOpened(async () => {
    const [host, port] = ['127.0.0.1', await choosePort()];
    const server = await listen({ fetch: createApp(shop.services).fetch, host, port });
    return { url: `http://${host}:${port}`, close: () => server.close(0) };
  });
  const browser = useBrowser();
  let orderId: OrderId;
  beforeAll(async () => {
    orderId = await placedOrder(shop);
    await ensureSubscription(shop.db, {
      name: 'analytics',
      types: [],
      cursor: await cursorNow(shop.db),
    });
  });
  beforeEach(async () => {
    await shop.db.deadLetter.deleteMany({});
  });

  const open = (path: string, role: 'operator' | 'admin' = 'operator') =>
    openConsole(browser, { url: served.url, path, key: `hf_local_${role}` });
  const expectText = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const failures = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      await deadLetterFixture(shop.db, orderId, { error: `HTTP ${500 + n}` });
    }
  };

  test('a cause of failures is retried after a dry run, and its progress is seen until the end', async () => {
    await failures(12);
    const { page, expectClean } = await open('/attention');
    await page.getByRole('button', { name: 'Retry all…' }).click();
    await expectText(page, 'Would retry 12 of 12');
    await page.getByLabel('At most per second').fill('1');
    await page.getByRole('button', { name: 'Retry 12' }).click();
    await expectText(page, 'Retrying 12, at most 1 a second');
    await expectText(page, /\b(?:[1-9]|1[01]) of 12 retried/);
    await expectText(page, '12 of 12 retried');
    await expectText(page, 'Nothing has failed for good.');
    expect(shop.deliveries.deliveries).toHaveLength(12);
    await expectClean();
  });

  test('a cause of failures is discarded with a note, by the keyboard alone', async () => {
    await failures(3);
    const { page, expectClean } = await open('/attention');
    await page.getByRole('button', { name: 'Discard all…' }).focus();
    await page.keyboard.press('Enter');
    await expectText(page, 'Would discard 3');
    // The notice has the focus: its first field is one step away.
    await page.keyboard.press('Tab');
    await page.keyboard.type('sent manually');
    await page.keyboard.press('Enter');
    await expectText(page, 'Discarded 3.');
    expect(await shop.db.deadLetter.count({ where: { note: 'sent manually' } })).toBe(3);
    await expectClean();
  });

  test('a price is changed, and a form that is stale by then is refused and shows the new price', async () => {
    const path = '/stock/mug-white';
    const [first, second] = [await open(path, 'admin'), await open(path, 'admin')];
    const change = async ({ page }: typeof first, price: string) => {
      await page.getByLabel('Price in EUR').fill(price);
      await page.getByRole('button', { name: 'Change prices' }).click();
    };
    await change(first, '14.50');
    await expectText(first.page, 'The price is €14.50, ');
    await change(second, '1.00');
    await expectText(second.page, 'Read it again.');
    expect(await second.page.getByLabel('Price in EUR').inputValue()).toBe('14.50');
    await first.expectClean();
  });

  test('a subscription is paused and resumed', async () => {
    const { page, expectClean } = await open('/events');
    const row = page.getByRole('row', { name: 'analytics' });
    await row.getByRole('button', { name: 'pause' }).click();
    await row.getByText('paused').waitFor();
    await row.getByRole('button', { name: 'resume' }).click();
    await row.getByText('reading').waitFor();
    expect(await shop.db.subscription.count({ where: { paused: true } })).toBe(0);
    await expectClean();
  });

  test('an action that gets no answer says so, and is done when it is pressed again', async () => {
    const { page } = await open('/events');
    const row = page.getByRole('row', { name: 'analytics' });
    const lost = (route: Route) =>
      route.request().method() === 'POST' ? route.abort() : route.continue();
    await page.route('**/console/events', lost);
    await row.getByRole('button', { name: 'pause' }).click();
    await page.getByRole('status').getByText('No answer came.').waitFor();
    await page.unroute('**/console/events', lost);
    await row.getByRole('button', { name: 'pause' }).click();
    await row.getByText('paused').waitFor();
    await row.getByRole('button', { name: 'resume' }).click();
    await row.getByText('reading').waitFor();
    expect(await page.getByText('No answer came.').count()).toBe(0);
  });

  test.each(['/stock', '/health', '/events', '/attention'])(
    'the page %s is accessible, asks no other machine, and fits a phone in the dark',
    async (path) => {
      await failures(2);
      const phone = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const;
      const at = { url: served.url, path };
      const { page, expectClean } = await openConsole(browser, at, phone);
      await page.waitForLoadState('networkidle');
      const overflow = 'document.documentElement.scrollWidth - innerWidth';
      expect(await page.evaluate(overflow)).toBeLessThanOrEqual(0);
      await expectClean();
    },
  );

  test('the charts of Home are drawn under the content security policy', async () => {
    await shop.services.trends.sample(new Date());
    const { page, expectClean } = await open('');
    await page.locator('.plot canvas').nth(2).waitFor();
    expect(await page.locator('figure.chart').count()).toBe(4);
    await page.emulateMedia({ colorScheme: 'dark' });
    await shop.services.trends.sample(new Date());
    const points = page.locator('figure.chart').nth(1).locator('tbody tr');
    await points.nth(1).waitFor({ state: 'attached' });
    await expectClean();
  });
});
