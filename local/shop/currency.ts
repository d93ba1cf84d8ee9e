/** The currency that a visitor pays in, kept in a cookie. Only what has a price in it is offered. */
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { decimalsOf } from '../../domain/iso-4217.ts';
import type { PricedProduct, Product } from './api.ts';

const NAME = 'currency';
const YEAR_SECONDS = 365 * 24 * 60 * 60;

/** The catalog in one currency. */
export interface Offer {
  readonly currency: string;
  /** Those that something has a price in. */
  readonly currencies: readonly string[];
  readonly products: readonly Product[];
}

/** What the visitor can buy. Without a choice: in the currency of the first product. */
export function offerTo(c: Context, products: readonly PricedProduct[]): Offer {
  const own = products.map(({ currency }) => currency);
  const others = products.flatMap(({ prices }) => prices.map(({ currency }) => currency));
  const currencies = [...new Set([...own, ...others.toSorted()])];
  const chosen = getCookie(c, NAME) ?? '';
  const currency = currencies.includes(chosen) ? chosen : (currencies[0] ?? 'EUR');
  return { currency, currencies, products: products.flatMap((each) => pricedIn(each, currency)) };
}

function pricedIn({ prices, ...product }: PricedProduct, currency: string): readonly Product[] {
  const all = [{ currency: product.currency, price_minor: product.price_minor }, ...prices];
  return all
    .filter((price) => price.currency === currency)
    .map((price) => ({ ...product, ...price }));
}

export function chooseCurrency(c: Context, currency: unknown): void {
  if (typeof currency !== 'string' || decimalsOf(currency) === undefined) return;
  const options = { path: '/shop', httpOnly: true, sameSite: 'Strict' } as const;
  setCookie(c, NAME, currency, { ...options, maxAge: YEAR_SECONDS });
}
