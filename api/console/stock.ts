/** The page "Stock and prices". */
import { html } from 'hono/html';
import type { ConsolePage } from './page.ts';

export const stockPage: ConsolePage = {
  path: '/stock',
  title: 'Stock and prices',
  view: () => html`<p class="muted">Nothing here yet.</p>`,
};
