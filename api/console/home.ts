/** The start page: what needs attention, what runs, what was sold. Each part loads on its own. */
import { html } from 'hono/html';
import { z } from 'zod';
import { metricValues } from '../operations/trends.ts';
import { analyticsListSchema } from '../schemas/analytics.ts';
import { deadLetterGroupListSchema, deadLetterListSchema } from '../schemas/dead-letters.ts';
import { invariantListSchema } from '../schemas/invariants.ts';
import { orderCountsSchema } from '../schemas/order-lists.ts';
import { orderListSchema } from '../schemas/orders.ts';
import { reconciliationListSchema } from '../schemas/reconciliations.ts';
import { subscriptionListSchema } from '../schemas/subscriptions.ts';
import { apiPath, callApi } from './call-api.ts';
import { chartAssets, charts } from './charts.ts';
import { orderTable } from './orders.ts';
import type { ConsoleContext, ConsolePage, Html } from './page.ts';
import { lazyPart, money, show, table, time, words } from './parts.ts';

/** The tiles change within seconds; the invariants read whole tables. */
const REFRESH_SECONDS = 15;
const INVARIANTS_MAX_AGE_SECONDS = 3_600;
const BEHIND_SECONDS = 60;

/** In this order. */
const TILES = {
  waiting,
  cases,
  retrying,
  'dead-letters': deadLetters,
  discrepancies,
  invariants,
  breakers,
  subscriptions,
};

export const homePage: ConsolePage = {
  path: '',
  title: 'Home',
  view: () =>
    html`${chartAssets()}
      <div class="tiles">${Object.keys(TILES).map((name) => lazyPart(name, REFRESH_SECONDS))}</div>
      ${lazyPart('charts', 10)}
      <h2>Sales today</h2>
      ${lazyPart('sales', REFRESH_SECONDS)}
      <h2>Newest orders</h2>
      ${lazyPart('newest', REFRESH_SECONDS)}`,
  parts: { ...TILES, charts, sales, newest },
};

function tile(of: {
  readonly value: Html | string | number;
  readonly label: Html | string;
  readonly href: string;
  /** True: an operator should look. */
  readonly isBad: boolean;
}): Html {
  return html`<a class="tile ${of.isBad ? 'bad' : ''}" href="/console${of.href}">
    <strong>${of.value}</strong> ${of.label}
  </a>`;
}

async function waiting(c: ConsoleContext): Promise<Html> {
  const [counts, refunds] = await Promise.all([
    callApi(c, { path: '/v1/orders/counts', schema: orderCountsSchema }),
    callApi(c, {
      path: '/v1/dead-letters?source=refund&status=open&limit=100',
      schema: deadLetterListSchema,
    }),
  ]);
  return show(counts, ({ by_status }) =>
    show(refunds, ({ data, has_more: more }) => {
      const count = (by_status['needs_attention'] ?? 0) + data.length;
      return tile({
        value: more ? `${count}+` : count,
        label: count === 1 ? 'waits for a person' : 'wait for a person',
        href: '/attention',
        isBad: count > 0,
      });
    }),
  );
}

/** Disputes, fraud warnings and reviews that are open, of all processes. */
async function cases(c: ConsoleContext): Promise<Html> {
  const { registry } = c.var.watched.metrics;
  const counted = await metricValues(registry, 'holdfast_payment_cases_open');
  const value = sumOf(counted);
  const kinds = counted
    .filter((each) => each.value > 0)
    .map((each) => `${words(String(each.labels['kind']))} ${each.value}`);
  const label = kinds.length === 0 ? 'open cases of payments' : `open cases: ${kinds.join(', ')}`;
  return tile({ value, label, href: '/orders?payment_case=open', isBad: value > 0 });
}

async function retrying(c: ConsoleContext): Promise<Html> {
  const found = await callApi(c, { path: '/v1/orders/counts', schema: orderCountsSchema });
  return show(found, ({ retrying: value, oldest_retry_at: oldest }) => {
    const since = oldest === null ? '' : html`, first failed ${time(oldest)}`;
    const label = html`orders are retried${since}`;
    return tile({ value, label, href: '/orders?retrying=true', isBad: value > 0 });
  });
}

async function deadLetters(c: ConsoleContext): Promise<Html> {
  const path = '/v1/dead-letters/groups';
  const found = await callApi(c, { path, schema: deadLetterGroupListSchema });
  return show(found, ({ data, has_more: more }) => {
    const plus = more ? '+' : '';
    const count = data.reduce((sum, { open }) => sum + open, 0);
    const label = `open dead letters, ${data.length}${plus} ${data.length === 1 ? 'cause' : 'causes'}`;
    return tile({ value: `${count}${plus}`, label, href: '/attention', isBad: count > 0 });
  });
}

/** Open ones of all runs. The time is that of the last run that compared everything it was to compare. */
async function discrepancies(c: ConsoleContext): Promise<Html> {
  const { registry } = c.var.watched.metrics;
  const path = '/v1/reconciliations?limit=20';
  const [counted, latest] = await Promise.all([
    metricValues(registry, 'holdfast_discrepancies_open'),
    callApi(c, { path, schema: reconciliationListSchema }),
  ]);
  return show(latest, ({ data }) => {
    const value = sumOf(counted);
    const ended = data.find(({ status }) => status === 'completed')?.finished_at ?? null;
    const when = ended === null ? 'not reconciled yet' : html`reconciled ${time(ended)}`;
    const label = html`open ${value === 1 ? 'discrepancy' : 'discrepancies'}, ${when}`;
    return tile({ value, label, href: '/health', isBad: value > 0 });
  });
}

function sumOf(counted: readonly { readonly value: number }[]): number {
  return counted.reduce((sum, each) => sum + each.value, 0);
}

async function invariants(c: ConsoleContext): Promise<Html> {
  const path = `/v1/invariants?max_age=${INVARIANTS_MAX_AGE_SECONDS}`;
  const found = await callApi(c, { path, schema: invariantListSchema });
  return show(found, ({ data, violated, unchecked, checked_at }) =>
    tile({
      value: `${data.length - violated - unchecked}/${data.length}`,
      label: html`invariants hold, checked ${time(checked_at)}`,
      href: '/health',
      isBad: violated > 0,
    }),
  );
}

const provider = z.object({ breakers: z.record(z.string(), z.string()) });
const readinessSchema = z.object({
  dependencies: z.object({
    payments: provider,
    warehouse: provider,
    mail: provider,
    sms: provider.optional(),
  }),
});

async function breakers(c: ConsoleContext): Promise<Html> {
  const found = await callApi(c, { path: '/readyz', schema: readinessSchema });
  return show(found, ({ dependencies }) => {
    const all = Object.values(dependencies).flatMap((each) => Object.entries(each?.breakers ?? {}));
    const open = all.filter(([, state]) => state !== 'closed').map(([name]) => name);
    const label = open.length === 0 ? 'breakers open' : `breakers open: ${open.join(', ')}`;
    return tile({ value: open.length, label, href: '/health', isBad: open.length > 0 });
  });
}

async function subscriptions(c: ConsoleContext): Promise<Html> {
  const path = '/v1/subscriptions?limit=100';
  const found = await callApi(c, { path, schema: subscriptionListSchema });
  return show(found, ({ data }) => {
    const value = data.filter(({ lag_seconds: lag }) => lag > BEHIND_SECONDS).length;
    const label = `of ${data.length} subscriptions more than a minute behind`;
    return tile({ value, label, href: '/events', isBad: value > 0 });
  });
}

async function newest(c: ConsoleContext): Promise<Html> {
  const found = await callApi(c, { path: '/v1/orders?limit=10', schema: orderListSchema });
  return show(found, ({ data }) => orderTable(data));
}

/** Of the current day of the shop, per currency. */
async function sales(c: ConsoleContext): Promise<Html> {
  // The day began at most 25 hours ago; the one before may have begun then, too.
  const from = new Date(Date.now() - 25 * 3_600_000).toISOString();
  const path = apiPath('/v1/analytics', { from, by: 'day' });
  const found = await callApi(c, { path, schema: analyticsListSchema });
  return show(found, ({ data, as_of: asOf, time_zone: zone }) => {
    const today = data.filter((day) => Date.parse(day.ends_at) > Date.now());
    const list = table({
      caption: 'Sales today',
      head: ['Currency', 'Orders', 'Shipped', 'Cancelled', 'Declined', 'Revenue', 'Refunded'],
      rows: today.map((day) => [
        day.currency,
        day.orders,
        day.shipped,
        day.cancelled,
        day.declined,
        money(day.revenue_minor, day.currency),
        money(day.refunded_minor, day.currency),
      ]),
      empty: 'Nothing was sold today.',
    });
    const until = asOf === null ? 'nothing is counted yet' : html`counted until ${time(asOf)}`;
    return html`${list}
      <p class="muted">Since midnight in ${zone}, ${until}.</p>`;
  });
}
