/** The list of orders, by status and by one search box. */
import { html } from 'hono/html';
import { orderListSchema } from '../schemas/orders.ts';
import { apiPath, callApi } from './call-api.ts';
import type { ConsolePage } from './page.ts';
import { badge, money, orderLink, show, table, time } from './parts.ts';

export const ordersPage: ConsolePage = {
  path: '/orders',
  title: 'Orders',
  async view(c) {
    const path = apiPath('/v1/orders', { limit: 50, status: c.req.query('status') });
    const found = await callApi(c, { path, schema: orderListSchema });
    return show(found, ({ data }) =>
      table({
        caption: 'Orders',
        head: ['Order', 'Customer', 'Total', 'Status', 'Placed'],
        rows: data.map((order) => [
          orderLink(order.id),
          html`${order.customer.name} <small>${order.customer.email}</small>`,
          money(order.total_minor, order.currency),
          badge(order.status),
          time(order.created_at),
        ]),
        empty: 'No order is like this.',
      }),
    );
  },
};
