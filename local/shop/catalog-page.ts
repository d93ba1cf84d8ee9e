/** The shop's first page: the products, and the basket beside them. */
import { html } from 'hono/html';
import { formatMoney } from '../../domain/money.ts';
import type { Html } from '../web/page.ts';
import type { Product } from './api.ts';
import { MAX_PRODUCTS, MAX_QUANTITY, type BasketLine } from './basket.ts';
import type { Offer } from './currency.ts';

interface BasketView {
  readonly lines: readonly BasketLine[];
  /** How many products are in the basket, those without a line included. */
  readonly products: number;
}

export function catalogPage(offer: Offer, basket: BasketView, apiUrl: string): Html {
  const { products, currency, currencies } = offer;
  return html`<header class="title">
      <h1>Demo shop</h1>
      <p>
        A small shop on top of Holdfast. Fill the basket, buy, and watch what goes on behind the
        answer. At the checkout you can also make trouble. An operator sees the same orders in the
        <a href="${apiUrl}/console">console</a>.
      </p>
    </header>
    <div class="columns">
      <section aria-labelledby="basket-title" class="aside">
        <h2 id="basket-title">Basket</h2>
        <div id="basket" aria-live="polite">${basketPart(basket, currency)}</div>
      </section>
      <section aria-labelledby="products-title">
        <h2 id="products-title">Products</h2>
        ${currencies.length > 1 && currencyForm(currencies, currency)}
        <div class="products">${products.toSorted(byAttraction).map(productCard)}</div>
        ${products.length === 0 && html`<p>There are no products.</p>`}
      </section>
    </div>`;
}

/** Each shows what is sold in the currency, at its prices in it. */
function currencyForm(currencies: readonly string[], currency: string): Html {
  return html`<form method="post" action="/shop/currency" class="filter" aria-label="Currency">
    ${currencies.map(
      (each) =>
        html`<button
          class="small ${each === currency ? '' : 'secondary'}"
          name="currency"
          value="${each}"
          aria-pressed="${each === currency}"
        >
          ${each}
        </button>`,
    )}
  </form>`;
}

/** What can be bought comes first, and of that the cheapest. */
function byAttraction(a: Product, b: Product): number {
  const isOut = (product: Product): number => (product.available === 0 ? 1 : 0);
  return isOut(a) - isOut(b) || a.price_minor - b.price_minor;
}

function productCard(product: Product): Html {
  const { sku, name, price_minor: amountMinor, currency, available } = product;
  const isSoldOut = available === 0;
  return html`<article class="product">
    <img src="/shop/pictures/${sku}.svg" alt="" width="400" height="300" />
    <h3>${name}</h3>
    <p class="price">${formatMoney({ amountMinor, currency })}</p>
    <p class="stock ${stockTone(available)}">${stockInWords(available)}</p>
    <form
      method="post"
      action="/shop/basket"
      hx-post="/shop/basket"
      hx-select="#basket > *"
      hx-target="#basket"
      hx-swap="innerHTML"
    >
      <input type="hidden" name="sku" value="${sku}" />
      <label>
        <span class="hidden">Quantity of ${name}</span>
        <input
          type="number"
          name="quantity"
          value="1"
          min="1"
          max="${MAX_QUANTITY}"
          required
          ${isSoldOut && html`disabled`}
        />
      </label>
      <button ${isSoldOut && html`disabled`} aria-label="Add ${name} to the basket">Add</button>
    </form>
  </article>`;
}

function stockInWords(available: number | null): string {
  if (available === null) return 'Availability unknown';
  if (available === 0) return 'Sold out';
  const count = available.toLocaleString('en');
  return available <= 10 ? `Only ${count} left` : `${count} available`;
}

function stockTone(available: number | null): string {
  if (available === 0) return 'none';
  return available !== null && available <= 10 ? 'few' : '';
}

/** The lines of the basket, each with its quantity, what has no line, and the way to the checkout. */
function basketPart({ lines, products }: BasketView, currency: string): Html {
  if (products === 0) return html`<p class="hint">The basket is empty.</p>`;
  const left = products - lines.length;
  return html`<ul class="lines">
      ${lines.map(basketLine)}
    </ul>
    ${left > 0 && leftPart(left, currency)}
    ${
      products === MAX_PRODUCTS &&
      html`<p class="hint">The basket is full: it holds ${MAX_PRODUCTS} products.</p>`
    }
    ${
      lines.length > 0 &&
      html`${totalPart(lines)} <a role="button" class="wide" href="/shop/checkout">Check out</a>`
    }`;
}

/** They stay in the basket: another currency has them again. */
function leftPart(products: number, currency: string): Html {
  const are = products === 1 ? 'One product is' : `${products} products are`;
  return html`<p class="hint">${are} in the basket, but not sold in ${currency} at present.</p>`;
}

function basketLine({ product, quantity, totalMinor }: BasketLine): Html {
  const { sku, name, currency } = product;
  return html`<li>
    <img src="/shop/pictures/${sku}.svg" alt="" width="64" height="48" />
    <span>${name}<br /><small>${formatMoney({ amountMinor: totalMinor, currency })}</small></span>
    <form
      method="post"
      action="/shop/basket/${sku}"
      hx-post="/shop/basket/${sku}"
      hx-select="#basket > *"
      hx-target="#basket"
      hx-swap="innerHTML"
    >
      <button
        class="small secondary"
        name="quantity"
        value="${quantity - 1}"
        aria-label="One ${name} less"
      >
        −
      </button>
      <span>${quantity}</span>
      <button
        class="small secondary"
        name="quantity"
        value="${Math.min(quantity + 1, MAX_QUANTITY)}"
        aria-label="One ${name} more"
      >
        +
      </button>
    </form>
  </li>`;
}

/** The sum of all lines; they have one currency, the visitor's. */
export function totalPart(lines: readonly BasketLine[]): Html {
  const currency = lines[0]?.product.currency ?? 'EUR';
  const amountMinor = totalOf(lines);
  return html`<p class="total">
    Total <strong>${formatMoney({ amountMinor, currency })}</strong>
  </p>`;
}

export function totalOf(lines: readonly BasketLine[]): number {
  return lines.reduce((sum, { totalMinor }) => sum + totalMinor, 0);
}
