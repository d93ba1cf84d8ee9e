/** The list of orders: by status, by what is retried, and by one search box. */
import { html } from 'hono/html';
import { ORDER_STATUSES, SETTLED_STATUSES, type OrderStatus } from '../../domain/order.ts';
import { orderCountsSchema } from '../schemas/order-lists.ts';
import { orderListSchema, type OrderBody } from '../schemas/orders.ts';
import { apiPath, callApi } from './call-api.ts';
import { subjectTitle } from './facts.ts';
import type { ConsoleContext, ConsolePage, Html } from './page.ts';
import { badge, money, orderLink, show, table, time, words } from './parts.ts';

const PAGE_SIZE = 50;

export const ordersPage: ConsolePage = {
  path: '/orders',
  title: 'Orders',
  async view(c) {
    const { q, status, retrying, payment_case, starting_after } = c.req.query();
    const query = { q, status, retrying, payment_case, starting_after, limit: PAGE_SIZE };
    const [counts, found] = await Promise.all([
      callApi(c, { path: '/v1/orders/counts', schema: orderCountsSchema }),
      callApi(c, { path: apiPath('/v1/orders', query), schema: orderListSchema }),
    ]);
    return html`${show(counts, ({ by_status, retrying: count }) => filters(c, by_status, count))}
    ${q === undefined || q === '' ? '' : html`<p>Orders like “${q}”.</p>`}
    ${show(found, ({ data, has_more }) => html`${orderTable(data)} ${pager(c, data, has_more)}`)}`;
  },
};

/** What still moves first; then what is settled, counted for a day. */
const STATUSES: readonly OrderStatus[] = ORDER_STATUSES.toSorted(
  (a, b) => Number(isCountedByDay(a)) - Number(isCountedByDay(b)),
);

function isCountedByDay(status: OrderStatus): boolean {
  return SETTLED_STATUSES.includes(status) && status !== 'needs_attention';
}

function filters(c: ConsoleContext, counts: Readonly<Record<string, number>>, retrying: number) {
  const { status, retrying: isRetrying, payment_case: cases } = c.req.query();
  const link = (label: string, query: Parameters<typeof apiPath>[1], isCurrent: boolean) =>
    html`<a
      href="${apiPath('/console/orders', { q: c.req.query('q'), ...query })}"
      ${isCurrent ? html`aria-current="page"` : ''}
      >${label}</a
    >`;
  const isShown = (each: OrderStatus) =>
    each === 'needs_attention' || each === status || (counts[each] ?? 0) > 0;
  return html`<nav class="filters" aria-label="Filter by status">
      ${link(
        'all',
        {},
        [status, isRetrying, cases].every((each) => each === undefined),
      )}
      ${link(`retrying ${retrying}`, { retrying: true }, isRetrying === 'true')}
      ${link('open cases', { payment_case: 'open' }, cases === 'open')}
      ${STATUSES.filter(isShown).map((each) =>
        link(`${words(each)} ${counts[each] ?? 0}`, { status: each }, status === each),
      )}
    </nav>
    <p><small>Orders that are final are counted for the last day.</small></p>`;
}

/** The steps that need a decision, of which the API has the names in one text. */
function stepsInWords(steps: string | null): string {
  return (steps ?? '').split(', ').map(subjectTitle).join(', ');
}

/** Also of Home, where it is short. */
export function orderTable(orders: readonly OrderBody[]): Html {
  return table({
    caption: 'Orders, newest first',
    head: ['Order', 'Customer', 'Lines', 'Total', 'Status', 'Placed'],
    rows: orders.map((order) => [
      orderLink(order.id, order.order_number),
      html`${order.customer.name} <small>${order.customer.email}</small>`,
      order.lines.map(({ quantity, name }) => `${quantity} × ${name}`).join(', '),
      money(order.total_minor, order.currency),
      html`${badge(order.status)} <small>${stepsInWords(order.attention_step)}</small>`,
      time(order.created_at),
    ]),
    empty: 'No orders.',
  });
}

function pager(c: ConsoleContext, data: readonly OrderBody[], hasMore: boolean): Html {
  const { starting_after: after, ...query } = c.req.query();
  const last = data.at(-1);
  const next = apiPath('/console/orders', { ...query, starting_after: last?.id });
  return html`<nav class="filters" aria-label="Pages">
    ${after === undefined ? '' : html`<a href="${apiPath('/console/orders', query)}">Newest</a>`}
    ${hasMore ? html`<a href="${next}" rel="next">Older</a>` : ''}
  </nav>`;
}
