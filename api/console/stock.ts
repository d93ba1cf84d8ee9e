/** Stock and prices: the list, and one product with the forms that change it. */
import { html } from 'hono/html';
import { fromMinor, toMinor } from '../../domain/money.ts';
import {
  productSchema,
  stockListSchema,
  stockSchema,
  type ProductBody,
  type StockBody,
} from '../schemas/products.ts';
import { apiPath, callApi, type ApiResult } from './call-api.ts';
import type { ConsoleContext, ConsolePage, Html } from './page.ts';
import { actionForm, hidden, money, outcome, problemBox, show, table } from './parts.ts';

const PAGE = 25;

export const stockPage: ConsolePage = {
  path: '/stock',
  title: 'Stock and prices',
  async view(c) {
    const { after, below } = c.req.query();
    const query = { limit: PAGE, starting_after: after, available_below: below };
    const path = apiPath('/v1/stock', query);
    const found = await callApi(c, { path, schema: stockListSchema });
    return html`<form method="get" class="filter">
        <label>
          Fewer available than
          <input name="below" type="number" min="1" value="${below ?? ''}" />
        </label>
        <button class="secondary">Show</button>
      </form>
      ${show(found, ({ data, has_more: more }) => {
        const next = apiPath('/console/stock', { below, after: data.at(-1)?.sku });
        return html`${table({
          caption: 'Stock and prices, by SKU',
          head: ['SKU', 'Name', 'Price', 'On hand', 'Held', 'Available', 'Sold today'],
          rows: data.map((item) => [
            html`<a href="/console/stock/${item.sku}">${item.sku}</a>`,
            item.name,
            money(item.price_minor, item.currency),
            item.on_hand,
            item.held,
            item.available,
            item.sold_today,
          ]),
          empty: 'No product is like this.',
        })}
        ${more ? html`<p><a href="${next}">More</a></p>` : ''}`;
      })}`;
  },
};

export const productPage: ConsolePage = {
  path: '/stock/:sku',
  title: 'Product',
  async view(c) {
    const [product, stock] = await Promise.all([
      readProduct(c),
      callApi(c, { path: `${productPath(c)}/stock`, schema: stockSchema }),
    ]);
    if (!product.ok) return problemBox(product.problem);
    const { name, sku } = product.value;
    return {
      title: name,
      heading: html`${name} <code>${sku}</code>`,
      main: html`<p><a href="/console/stock">All products</a></p>
        <div class="metrics">
          <section>
            <h2>Price</h2>
            ${priceForm(c, product.value, product.etag)}
            ${archiveForm(c, product.value, product.etag)}
          </section>
          <section>
            <h2>Stock</h2>
            ${show(stock, stockForm)}
          </section>
        </div>`,
    };
  },
  actions: {
    async price(c, form) {
      // The fields that the form does not have are those of its version: another one is refused.
      const product = await readProduct(c);
      if (!product.ok) return outcome(product, () => '');
      const { name, description, currency } = product.value;
      const price = toMinor(form.text('price'), currency);
      if (price === null)
        return { tone: 'bad', text: `"${form.text('price')}" is no price, e.g. 12.50` };
      const body = { name, description, currency, price_minor: price };
      const result = await callApi(c, {
        method: 'PUT',
        path: productPath(c),
        body,
        schema: productSchema,
        ifMatch: form.text('etag'),
      });
      return outcome(result, (now) => `The price is ${money(now.price_minor, now.currency)}.`);
    },
    async archive(c, form) {
      const body = { archived: form.text('archived') === 'true' };
      const call = {
        method: 'PATCH',
        path: productPath(c),
        body,
        ifMatch: form.text('etag'),
      } as const;
      const result = await callApi(c, { ...call, schema: productSchema });
      return outcome(result, ({ archived }) => `It is ${archived ? 'archived' : 'sold again'}.`);
    },
    async adjust(c, form) {
      const body = { delta: Number(form.text('delta')), reason: form.text('reason') };
      const path = `${productPath(c)}/stock`;
      const call = { method: 'POST', path, body, key: form.key, schema: stockSchema } as const;
      return outcome(await callApi(c, call), (now) => `${now.available} units are available.`);
    },
  },
};

function productPath(c: ConsoleContext): string {
  return `/v1/products/${encodeURIComponent(c.req.param('sku') ?? '')}`;
}

function readProduct(c: ConsoleContext): Promise<ApiResult<ProductBody>> {
  return callApi(c, { path: productPath(c), schema: productSchema });
}

function priceForm(c: ConsoleContext, product: ProductBody, etag: string | null): Html {
  const { price_minor: minor, currency } = product;
  return actionForm({
    action: 'price',
    label: 'Change price',
    refused: c.var.apiKey.role === 'admin' ? null : 'Only a key with the role admin may.',
    fields: html`${hidden('etag', etag ?? '')}
      <label>
        Price in ${currency}
        <input name="price" inputmode="decimal" value="${fromMinor(minor, currency)}" required />
      </label>`,
  });
}

function archiveForm(c: ConsoleContext, { archived }: ProductBody, etag: string | null): Html {
  const fields = html`${hidden('etag', etag ?? '')} ${hidden('archived', String(!archived))}`;
  const refused = c.var.apiKey.role === 'admin' ? null : 'Only a key with the role admin may.';
  const label = archived ? 'Sell it again' : 'Archive';
  return html`${archived && html`<p>Archived: no order takes it.</p>`}
  ${actionForm({ action: 'archive', label, refused, fields })}`;
}

function stockForm({ on_hand: onHand, held, available }: StockBody): Html {
  const fields = html`<label>
      Units to add, negative to take <input name="delta" type="number" step="1" required />
    </label>
    <label>Reason <input name="reason" maxlength="200" required /></label>`;
  return html`<p>${onHand} on hand, ${held} held for orders, ${available} available.</p>
    ${actionForm({ action: 'adjust', label: 'Change stock', fields })}`;
}
