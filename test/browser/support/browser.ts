/**
 * Pages in the browser that the machine has. Each is watched: no request leaves the machine, nothing
 * is written to the console as an error, and axe finds nothing.
 */
import { existsSync } from 'node:fs';
import process from 'node:process';
import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { useOpened } from '../../support/use-opened.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Debian's Chromium, or what else is installed; none is downloaded. */
const executablePath = PLACES.find((path) => existsSync(path));

/** For `describe.skipIf`: why there are no browser tests on this machine; false where there are. */
export const noBrowser: string | false =
  executablePath === undefined ? `no Chromium at ${PLACES.join(', ')}` : false;

const ARGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Root has no sandbox in Chromium.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];
/** A busy machine is never taken for a missing element. */
const TIMEOUT_MS = 60_000;
const DESKTOP = { width: 1400, height: 900 };

export interface Watched {
  readonly page: Page;
  /** Throws when the page wrote an error, asked another machine, or is not accessible. */
  expectClean(errors?: { readonly except: RegExp }): Promise<void>;
}

export interface TestBrowser {
  /** A page of a session of its own. It is closed at the end of the test. */
  open(url: string, options?: BrowserContextOptions): Promise<Watched>;
}

/** One browser for a whole test file. */
export function useBrowser(): TestBrowser {
  const opened = useOpened(async () => {
    const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ARGS });
    return { browser, close: () => browser.close() };
  });
  return { open: (url, options) => openPage(opened.browser, url, options) };
}

async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  onTestFinished(() => context.close());
  context.setDefaultTimeout(TIMEOUT_MS);
  const errors: string[] = [];
  await context.route('**', (route) => {
    const { hostname, href } = new URL(route.request().url());
    if (hostname === '127.0.0.1') return route.continue();
    errors.push(`asked another machine: ${href}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url);
  return {
    page,
    async expectClean({ except } = { except: /^$/ }) {
      expect(errors.filter((error) => !except.test(error))).toEqual([]);
      await page.evaluate(axe.source);
      // Between two states a color has the contrast of neither.
      await page.evaluate(
        'for (const each of document.getAnimations()) if (each instanceof CSSTransition) each.finish()',
      );
      // A frame that may not run scripts answers no message, and the browser reports each as an error.
      const found = await page.evaluate('axe.run({ iframes: false })');
      expect(violationsOf(found)).toEqual([]);
    },
  };
}

function violationsOf(found: unknown): readonly string[] {
  if (!isAxeResults(found)) throw new Error('axe did not run');
  return found.violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
  );
}

function isAxeResults(found: unknown): found is axe.AxeResults {
  return typeof found === 'object' && found !== null && 'violations' in found;
}
