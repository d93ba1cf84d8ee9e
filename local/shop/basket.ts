/** The basket, kept in a cookie of the browser: at most 20 products, at most 99 of each. */
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { z } from 'zod';
import type { Product } from './api.ts';

const NAME = 'basket';
export const MAX_PRODUCTS = 20;
export const MAX_QUANTITY = 99;
const WEEK_SECONDS = 7 * 24 * 60 * 60;

/** A SKU, in the form that the API has. */
export const skuSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
export const quantitySchema = z.coerce.number().int().min(0).max(MAX_QUANTITY);

/** From SKU to quantity. */
export type Basket = Readonly<Record<string, number>>;

const basketSchema = z
  .record(skuSchema, quantitySchema.min(1))
  .refine((basket) => Object.keys(basket).length <= MAX_PRODUCTS);

/** The basket of the request; empty when the cookie is missing or not readable. */
export function readBasket(c: Context): Basket {
  try {
    const parsed = basketSchema.safeParse(JSON.parse(getCookie(c, NAME) ?? '{}'));
    return parsed.success ? parsed.data : {};
  } catch {
    // A changed cookie is an empty basket.
    return {};
  }
}

/** The basket with this quantity of the product, 0 for none; a 21st product is left out. */
export function withQuantity(basket: Basket, sku: string, quantity: number): Basket {
  const { [sku]: _, ...others } = basket;
  if (quantity < 1 || Object.keys(others).length >= MAX_PRODUCTS) return others;
  return { ...basket, [sku]: Math.min(quantity, MAX_QUANTITY) };
}

export function writeBasket(c: Context, basket: Basket): void {
  const options = { path: '/shop', httpOnly: true, sameSite: 'Strict' } as const;
  if (Object.keys(basket).length === 0) deleteCookie(c, NAME, options);
  else setCookie(c, NAME, JSON.stringify(basket), { ...options, maxAge: WEEK_SECONDS });
}

export interface BasketLine {
  readonly product: Product;
  readonly quantity: number;
  readonly totalMinor: number;
}

/** The lines with today's prices. A product that is not sold, or not in the currency, is left out. */
export function linesOf(basket: Basket, products: readonly Product[]): readonly BasketLine[] {
  return products.flatMap((product) => {
    const quantity = basket[product.sku];
    if (quantity === undefined) return [];
    return [{ product, quantity, totalMinor: product.price_minor * quantity }];
  });
}
