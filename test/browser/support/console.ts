/** The console as an operator uses it, on a whole system. */
import type { BrowserContextOptions } from 'playwright-core';
import type { TestBrowser, Watched } from './browser.ts';

/** Signs in by the page itself, and shows the page at `path` below /console. */
export async function openConsole(
  browser: TestBrowser,
  at: { readonly url: string; readonly path?: string; readonly key?: string },
  options?: BrowserContextOptions,
): Promise<Watched> {
  const { url, path = '', key = 'hf_local_operator' } = at;
  const watched = await browser.open(`${url}/console${path}`, options);
  await watched.page.getByLabel('API key').fill(key);
  await watched.page.getByRole('button', { name: 'Sign in' }).click();
  await watched.page.waitForURL(`${url}/console${path}`);
  return watched;
}
