/** The page "Attention". */
import { html } from 'hono/html';
import type { ConsolePage } from './page.ts';

export const attentionPage: ConsolePage = {
  path: '/attention',
  title: 'Attention',
  view: () => html`<p class="muted">Nothing here yet.</p>`,
};
