/** The start page: what needs somebody, and what goes on. */
import { html } from 'hono/html';
import { charts } from './charts.ts';
import type { ConsolePage } from './page.ts';
import { lazyPart } from './parts.ts';

export const homePage: ConsolePage = {
  path: '',
  title: 'Home',
  view: () => html`${lazyPart('charts')}`,
  parts: { charts },
};
