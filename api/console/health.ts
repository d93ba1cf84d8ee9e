/** The page "Health". */
import { html } from 'hono/html';
import type { ConsolePage } from './page.ts';

export const healthPage: ConsolePage = {
  path: '/health',
  title: 'Health',
  view: () => html`<p class="muted">Nothing here yet.</p>`,
};
