/**
 * The demo shop of `npm start`: a storefront whose server calls the API with the storefront's key, as any
 * shop's server does. It also shows what goes on behind the answer, and makes trouble at the sandbox.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Hono, type Context } from 'hono';
import { csrf } from 'hono/csrf';
import { html } from 'hono/html';
import { respondMissing, respondPage } from '../web/page.ts';
import { createShopApi } from './api.ts';
import { ApiUnavailable } from './connection.ts';
import {
  linesOf,
  quantitySchema,
  readBasket,
  skuSchema,
  withQuantity,
  writeBasket,
} from './basket.ts';
import { rowsDuring } from './behind.ts';
import { pressAgain } from './buy.ts';
import { catalogPage } from './catalog-page.ts';
import { checkoutRoutes } from './checkout-routes.ts';
import { chooseCurrency, offerTo } from './currency.ts';
import type { ShopDeps, ShopOptions } from './dependencies.ts';
import { refusedPage } from './order-page.ts';
import { orderRoutes } from './order-routes.ts';
import { createPurchases, orderIdOf } from './purchases.ts';

/** The shop's routes, to be mounted at `/shop`. */
export function createShop(options: ShopOptions): Hono {
  const deps = { ...options, api: createShopApi(options), purchases: createPurchases() };
  const app = new Hono();
  app.use(csrf());
  app.onError((error, c) => {
    if (!(error instanceof ApiUnavailable)) throw error;
    return closed(c, deps);
  });
  app.get('/', async (c) => {
    const offer = offerTo(c, await deps.api.products());
    const basket = readBasket(c);
    const lines = linesOf(basket, offer.products);
    const main = catalogPage(offer, { lines, products: Object.keys(basket).length }, deps.apiUrl);
    return respondPage(c, deps.site, { title: 'Products', main });
  });
  app.post('/currency', async (c) => {
    chooseCurrency(c, (await c.req.parseBody())['currency']);
    return c.redirect('/shop', 303);
  });
  app.get('/pictures/:file', picture);
  addBasket(app);
  addPurchases(app, deps);
  app.route('/', checkoutRoutes(deps));
  app.route('/', orderRoutes(deps));
  app.all('*', (c) => respondMissing(c, deps.site));
  return app;
}

function addBasket(app: Hono): void {
  app.post('/basket', async (c) => {
    const { sku, quantity } = await c.req.parseBody();
    const added = { sku: skuSchema.safeParse(sku), quantity: quantitySchema.safeParse(quantity) };
    if (!added.sku.success || !added.quantity.success) return c.redirect('/shop', 303);
    const basket = readBasket(c);
    const had = basket[added.sku.data] ?? 0;
    writeBasket(c, withQuantity(basket, added.sku.data, had + added.quantity.data));
    return c.redirect('/shop', 303);
  });
  app.post('/basket/:sku', async (c) => {
    const quantity = quantitySchema.safeParse((await c.req.parseBody())['quantity']);
    if (quantity.success) {
      writeBasket(c, withQuantity(readBasket(c), c.req.param('sku'), quantity.data));
    }
    return c.redirect('/shop', 303);
  });
}

/** The answers where no order was placed. */
function addPurchases(app: Hono, deps: ShopDeps): void {
  app.get('/purchases/:key', async (c) => {
    const purchase = deps.purchases.find(c.req.param('key'));
    if (purchase === undefined) return respondMissing(c, deps.site);
    const orderId = orderIdOf(purchase);
    if (orderId !== null) return c.redirect(`/shop/orders/${orderId}`, 303);
    const products = await deps.api.products().catch(() => []);
    const names = new Map(products.map(({ sku, name }) => [sku, name]));
    const main = refusedPage(purchase, rowsDuring(purchase, deps.providers), names);
    return respondPage(c, deps.site, { title: 'Your order', main });
  });
  app.post('/purchases/:key', async (c) => {
    const purchase = deps.purchases.find(c.req.param('key'));
    if (purchase === undefined) return respondMissing(c, deps.site);
    const orderId = orderIdOf(await pressAgain(deps, purchase));
    // Placed by this press: the basket is bought.
    if (orderId !== null && orderIdOf(purchase) === null) writeBasket(c, {});
    return c.redirect(`/shop/purchases/${purchase.key}`, 303);
  });
}

/** The drawing of a product; one of a box for a product that has none. */
async function picture(c: Context): Promise<Response> {
  const sku = skuSchema.safeParse(c.req.param('file')?.replace(/\.svg$/, ''));
  const read = (name: string) =>
    readFile(fileURLToPath(new URL(`pictures/${name}.svg`, import.meta.url)));
  const bytes = await read(sku.data ?? 'other').catch(() => read('other'));
  return c.body(new Uint8Array(bytes), 200, {
    'content-type': 'image/svg+xml',
    'cache-control': 'no-cache',
  });
}

function closed(c: Context, { site, apiUrl }: ShopDeps): Response | Promise<Response> {
  c.header('Retry-After', '5');
  const main = html`<h1>The shop is closed for a moment</h1>
    <p>
      The shop’s server cannot reach the API at <code>${apiUrl}</code>. As soon as it is back, the
      shop is open again; orders that were placed continue meanwhile.
    </p>
    <p><a role="button" href="${c.req.method === 'GET' ? '' : '/shop'}">Try again</a></p>`;
  return respondPage(c, site, { title: 'Closed for a moment', main, status: 503 });
}
