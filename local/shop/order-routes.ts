/** An order's page, its live stream, and its buttons. */
import { randomUUID } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { respondMissing, respondPage } from '../web/page.ts';
import { problemIn } from './answer-words.ts';
import type { Order } from './api.ts';
import { MAX_QUANTITY, writeBasket } from './basket.ts';
import { rowsOf, type Behind } from './behind.ts';
import { confirm } from './buy.ts';
import { chooseCurrency } from './currency.ts';
import type { ShopDeps } from './dependencies.ts';
import { sendLive } from './live.ts';
import { orderPage, orderTitle } from './order-page.ts';

/** Each takes one of the API's streams, of which a storefront's key has 40. */
const MAX_LIVE = 20;
const CANCEL_CODE = /^[a-z_]{1,40}$/;
const keySchema = z.uuid();

export function orderRoutes(deps: ShopDeps): Hono {
  const { api, purchases, providers, site } = deps;
  const app = new Hono();
  let live = 0;
  app.get('/orders/:id', async (c) => {
    const order = await api.order(c.req.param('id'));
    if (order === null) return respondMissing(c, deps.site);
    const behind = { ...startOf(order, deps), timeline: await api.timeline(order.id) };
    const cancelCode = CANCEL_CODE.exec(c.req.query('cancel') ?? '')?.[0] ?? null;
    const main = orderPage({
      order,
      purchase: purchases.ofOrder(order.id),
      rows: rowsOf(behind, providers),
      places: deps,
      cancelCode,
      cancelKey: randomUUID(),
      origin: new URL(c.req.url).origin,
    });
    return respondPage(c, site, { title: orderTitle(order), main });
  });
  app.get('/orders/:id/live', async (c) => {
    const order = await api.order(c.req.param('id'));
    if (order === null) return respondMissing(c, deps.site);
    if (live >= MAX_LIVE) return c.text('Too many pages are live.', 503, { 'Retry-After': '10' });
    live += 1;
    return streamSSE(c, async (stream) => {
      try {
        await sendLive(stream, deps, startOf(order, deps));
      } finally {
        live -= 1;
      }
    });
  });
  // Where the bank's page leads back to, and the button of those who come back by themselves.
  app.on(['GET', 'POST'], '/orders/:id/confirm', async (c) => {
    await confirm(deps, c.req.param('id'));
    return c.redirect(pageOf(c.req.param('id')), 303);
  });
  app.post('/orders/:id/cancel', (c) => cancel(c, deps, c.req.param('id')));
  app.post('/orders/:id/again', async (c) => {
    const order = await api.order(c.req.param('id'));
    if (order === null) return respondMissing(c, deps.site);
    const lines = order.lines.map(({ sku, quantity }) => [sku, Math.min(quantity, MAX_QUANTITY)]);
    writeBasket(c, Object.fromEntries(lines));
    chooseCurrency(c, order.currency);
    return c.redirect('/shop/checkout', 303);
  });
  return app;
}

function pageOf(id: string): string {
  return `/shop/orders/${encodeURIComponent(id)}`;
}

function startOf(order: Order, { purchases }: ShopDeps): Omit<Behind, 'timeline'> {
  const purchase = purchases.ofOrder(order.id);
  const startMs = purchase?.atMs ?? Date.parse(order.created_at);
  return { orderId: order.id, startMs, purchase };
}

async function cancel(c: Context, { api }: ShopDeps, id: string): Promise<Response> {
  const key = keySchema.safeParse((await c.req.parseBody())['key']);
  const answer = await api.cancel(id, key.data ?? randomUUID());
  const page = pageOf(id);
  if (answer.status === 202) return c.redirect(page, 303);
  const problem = problemIn(answer);
  const code = problem?.reason ?? problem?.code ?? 'cancel_undecided';
  return c.redirect(`${page}?cancel=${encodeURIComponent(code)}`, 303);
}
