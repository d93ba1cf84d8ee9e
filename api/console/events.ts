/** The page "Events". */
import { html } from 'hono/html';
import type { ConsolePage } from './page.ts';

export const eventsPage: ConsolePage = {
  path: '/events',
  title: 'Events',
  view: () => html`<p class="muted">Nothing here yet.</p>`,
};
