/** One order: its saga as a picture, what it waits for, and what an operator can do. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { TemporalUi } from '../../domain/pages.ts';
import { orderViewSchema } from '../schemas/orders.ts';
import { callApi, fetchApi } from './call-api.ts';
import type { ConsoleEnv, ConsolePage } from './page.ts';
import { badge, show } from './parts.ts';

export const createOrderPage = (_ui: TemporalUi | null): ConsolePage => ({
  path: '/orders/:id',
  title: 'Order',
  async view(c) {
    const path = `/v1/orders/${c.req.param('id') ?? ''}`;
    return show(
      await callApi(c, { path, schema: orderViewSchema }),
      (order) => html`<p>${order.id} ${badge(order.status)}</p>`,
    );
  },
});

/** The events of the order as they come, for the page's script. */
export function liveRoutes() {
  return new Hono<ConsoleEnv>().get('/orders/:id/live', async (c) =>
    fetchApi(c, { path: `/v1/orders/${c.req.param('id')}/timeline`, accept: 'text/event-stream' }),
  );
}
