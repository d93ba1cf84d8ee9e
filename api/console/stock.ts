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
import type { ActionForm, ConsoleContext, ConsolePage, Html } from './page.ts';
import { actionForm, hidden, money, outcome, problemView, show, table } from './parts.ts';

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
    if (!product.ok) return problemView('Product', product.problem);
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
      const [own, ...others] = pricesIn(form, product.value);
      const wrong = [own, ...others].find(({ minor }) => minor === null);
      if (wrong) {
        const where = wrong.currency === '' ? 'without a currency' : `in ${wrong.currency}`;
        return { tone: 'bad', text: `"${wrong.text}" is no price ${where}.` };
      }
      const prices = others.map((each) => ({ currency: each.currency, price_minor: each.minor }));
      const body = { name, description, currency, price_minor: own.minor, prices };
      const result = await callApi(c, {
        method: 'PUT',
        path: productPath(c),
        body,
        schema: productSchema,
        ifMatch: form.text('etag'),
      });
      return outcome(result, (now) => `The price is ${pricesInWords(now)}.`);
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

interface WrittenPrice {
  readonly currency: string;
  readonly text: string;
  /** Null: it is no price in the currency. */
  readonly minor: number | null;
}

/** The product's own price first. An empty field of another currency: no price in it. */
function pricesIn(
  form: ActionForm,
  { currency, prices }: ProductBody,
): readonly [WrittenPrice, ...WrittenPrice[]] {
  const read = (of: string, field: string): WrittenPrice => {
    const text = form.text(field);
    return { currency: of, text, minor: toMinor(text, of) };
  };
  const others = prices.map((price) => read(price.currency, `price_${price.currency}`));
  const added = read(form.text('other_currency').toUpperCase(), 'other_price');
  return [read(currency, 'price'), ...[...others, added].filter(({ text }) => text !== '')];
}

function pricesInWords(product: ProductBody): string {
  const all = [product, ...product.prices];
  return all.map((price) => money(price.price_minor, price.currency)).join(', ');
}

function priceForm(c: ConsoleContext, product: ProductBody, etag: string | null): Html {
  const { price_minor: minor, currency, prices } = product;
  return actionForm({
    action: 'price',
    label: prices.length === 0 ? 'Change price' : 'Change prices',
    refused: c.var.apiKey.role === 'admin' ? null : 'Only a key with the role admin may.',
    fields: html`${hidden('etag', etag ?? '')}
      <label>
        Price in ${currency}
        <input name="price" inputmode="decimal" value="${fromMinor(minor, currency)}" required />
      </label>
      ${prices.map(
        (price) =>
          html`<label>
            Price in ${price.currency}, empty for none
            <input
              name="price_${price.currency}"
              inputmode="decimal"
              value="${fromMinor(price.price_minor, price.currency)}"
            />
          </label>`,
      )}
      <details>
        <summary>Sell in another currency</summary>
        <label>Currency, such as USD <input name="other_currency" maxlength="3" /></label>
        <label>Price <input name="other_price" inputmode="decimal" /></label>
      </details>`,
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
