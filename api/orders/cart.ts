/**
 * The checks of a cart, the same for a quote and for an order, so that a quote without problems is an
 * order that is accepted while the units last. Every problem is found at once, with its place. Pure.
 */
import { formatMoney, sumMinor, type AmountLimits } from '../../domain/money.ts';
import type { Adjustment, OrderLine } from '../../domain/order.ts';
import { allPrices, priceIn } from '../../domain/product.ts';
import type { Offer } from '../../prisma/catalog/products.ts';
import type { FieldError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { MAX_QUANTITY, type PlaceOrderBody } from '../schemas/orders.ts';
import { notChargeable, offStep, outsideLimits } from './amounts.ts';

/** The part of a request that has prices. Null: what could not be read; a line keeps its place. */
export interface Cart
  extends
    Pick<PlaceOrderBody, 'currency' | 'expected_total_minor'>,
    Partial<Pick<PlaceOrderBody, 'credit_minor'>> {
  readonly lines: readonly (PlaceOrderBody['lines'][number] | null)[];
  readonly adjustments: PlaceOrderBody['adjustments'] | null;
}

/** An order of the cart would be refused with the code. */
export interface CartProblem extends FieldError {
  readonly code: 'invalid_request' | 'price_changed' | 'out_of_stock' | 'credit_insufficient';
  readonly pointer: string;
}

/** A line at the price that it is sold for, with the units that no order holds. */
export interface PricedLine extends OrderLine {
  readonly available: number;
}

export interface CheckedCart {
  /** One per SKU that is sold in the currency, in the order of first occurrence. */
  readonly lines: readonly PricedLine[];
  readonly adjustments: readonly Adjustment[];
  /** Null: a part of the cart has no price. */
  readonly totalMinor: number | null;
  readonly problems: readonly CartProblem[];
}

export interface CartContext {
  /** Of the SKUs of the cart. */
  readonly offers: readonly Offer[];
  /** Null: no card can be charged in the currency. */
  readonly limits: AmountLimits | null;
  /** The total that an expired quote gave. */
  readonly quotedMinor?: number | undefined;
}

export function checkCart(cart: Cart, context: CartContext): CheckedCart {
  const { offers } = context;
  const lines = priceLines(cart, offers);
  const adjustments = adjustmentsOf(cart);
  const unpriced = [...lineErrors(cart, offers), ...currencyErrors(cart, context)];
  const isWhole = cart.adjustments !== null && !cart.lines.includes(null);
  const totalMinor = unpriced.length === 0 && isWhole ? totalOf(lines, adjustments) : null;
  const problems = [
    ...unpriced,
    ...adjustmentErrors(cart, context),
    ...totalErrors(cart, context, totalMinor),
    ...priceChanges(cart, context, totalMinor),
    ...shortages(cart, context),
  ];
  return { lines, adjustments, totalMinor, problems };
}

/** The total that the shopper was shown: in all, by its quote, or by the prices of its lines. */
export function expectedTotal(cart: Cart, { offers, quotedMinor }: CartContext): number {
  const lines = cart.lines.flatMap((line) => {
    if (line === null) return [];
    const offer = offers.find(({ sku }) => sku === line.sku);
    const price = offer === undefined ? null : priceIn(offer, cart.currency);
    const unitPriceMinor = line.expected_unit_price_minor ?? price;
    return unitPriceMinor === null ? [] : [{ ...line, unitPriceMinor }];
  });
  return cart.expected_total_minor ?? quotedMinor ?? totalOf(lines, adjustmentsOf(cart));
}

function totalOf(
  lines: Parameters<typeof sumMinor>[0],
  adjustments: readonly Adjustment[],
): number {
  return adjustments.reduce((sum, { amountMinor }) => sum + amountMinor, sumMinor(lines));
}

function priceLines({ lines, currency }: Cart, offers: readonly Offer[]): readonly PricedLine[] {
  return [...unitsBySku(lines)].flatMap(([sku, quantity]) => {
    const offer = offers.find((each) => each.sku === sku);
    const unitPriceMinor = offer === undefined ? null : priceIn(offer, currency);
    if (offer === undefined || unitPriceMinor === null) return [];
    const { name, available } = offer;
    return [{ sku, name, quantity, unitPriceMinor, available }];
  });
}

/** The units of each SKU, in the order of first occurrence. */
export function unitsBySku(
  lines: readonly ({ readonly sku: string; readonly quantity: number } | null)[],
): ReadonlyMap<string, number> {
  const units = new Map<string, number>();
  for (const line of lines) {
    if (line !== null) units.set(line.sku, (units.get(line.sku) ?? 0) + line.quantity);
  }
  return units;
}

function adjustmentsOf({ adjustments }: Cart): readonly Adjustment[] {
  return (adjustments ?? []).map(({ kind, label, amount_minor: amountMinor }) => ({
    kind,
    label,
    amountMinor,
  }));
}

function lineErrors({ lines }: Cart, offers: readonly Offer[]): readonly CartProblem[] {
  const quantities = new Map<string, number>();
  return lines.flatMap((line, index) => {
    if (line === null) return [];
    const { sku } = line;
    const sum = (quantities.get(sku) ?? 0) + line.quantity;
    quantities.set(sku, sum);
    const offer = offers.find((each) => each.sku === sku);
    if (offer === undefined) return [invalid('No product has this SKU.', 'lines', index, 'sku')];
    if (offer.archived) {
      return [invalid('The product is archived: it is not sold any more.', 'lines', index, 'sku')];
    }
    if (sum <= MAX_QUANTITY) return [];
    const detail = `An order may contain ${MAX_QUANTITY} units of one product; ${sum} were requested.`;
    return [invalid(detail, 'lines', index, 'quantity')];
  });
}

function currencyErrors(
  { currency, lines }: Cart,
  { offers, limits }: CartContext,
): readonly CartProblem[] {
  if (limits === null) return [invalid(notChargeable(currency).detail, 'currency')];
  return lines.flatMap((line, index) => {
    const offer = offers.find(({ sku }) => sku === line?.sku);
    if (offer === undefined || priceIn(offer, currency) !== null) return [];
    const others = allPrices(offer).map((price) => price.currency);
    const detail = `${offer.sku} has no price in ${currency}. Its prices are in ${others.join(', ')}.`;
    return [invalid(detail, 'lines', index, 'sku')];
  });
}

function adjustmentErrors(cart: Cart, { limits }: CartContext): readonly CartProblem[] {
  if (limits === null) return [];
  return adjustmentsOf(cart).flatMap(({ amountMinor }, index) => {
    const detail = offStep({ amountMinor, currency: cart.currency }, limits);
    return detail === null ? [] : [invalid(detail, 'adjustments', index, 'amount_minor')];
  });
}

function totalErrors(
  { currency, credit_minor: creditMinor = 0 }: Cart,
  { limits }: CartContext,
  totalMinor: number | null,
): readonly CartProblem[] {
  if (totalMinor === null || limits === null) return [];
  if (totalMinor < 0) {
    return [invalid('The adjustments take off more than the lines cost.', 'adjustments')];
  }
  const total = { amountMinor: totalMinor, currency };
  // What credit pays is not too little to charge.
  const minMinor = creditMinor === 0 ? limits.minMinor : 0;
  const detail = outsideLimits(total, { ...limits, minMinor });
  if (detail !== null) return [invalid(detail, 'lines')];
  if (creditMinor > totalMinor) {
    return [invalid(`The total is ${formatMoney(total)}; credit cannot pay more.`, 'credit_minor')];
  }
  if (creditMinor === 0 || creditMinor === totalMinor) return [];
  const onCard = { amountMinor: totalMinor - creditMinor, currency };
  const refusal = outsideLimits(onCard, limits, "The card's part");
  return refusal === null ? [] : [invalid(refusal, 'credit_minor')];
}

function priceChanges(
  { lines, currency, expected_total_minor: expectedMinor }: Cart,
  { offers, quotedMinor }: CartContext,
  totalMinor: number | null,
): readonly CartProblem[] {
  const moved = lines.flatMap((line, index) => {
    const offer = offers.find(({ sku }) => sku === line?.sku);
    const expected = line?.expected_unit_price_minor;
    const amountMinor = offer === undefined ? null : priceIn(offer, currency);
    if (amountMinor === null || expected === undefined || expected === amountMinor) return [];
    const detail = `${line?.sku} now costs ${formatMoney({ amountMinor, currency })}.`;
    return [changed(detail, 'lines', index, 'expected_unit_price_minor')];
  });
  if (totalMinor === null) return moved;
  const detail = `The total is now ${formatMoney({ amountMinor: totalMinor, currency })}.`;
  const differs = (shown: number | undefined) => shown !== undefined && shown !== totalMinor;
  return [
    ...moved,
    ...(differs(expectedMinor) ? [changed(detail, 'expected_total_minor')] : []),
    ...(differs(quotedMinor) ? [changed(detail, 'quote')] : []),
  ];
}

function shortages({ lines }: Cart, { offers }: CartContext): readonly CartProblem[] {
  return [...unitsBySku(lines)].flatMap(([sku, quantity]) => {
    const available = offers.find((offer) => offer.sku === sku)?.available;
    if (available === undefined || quantity <= available) return [];
    const detail =
      available === 0 ? `${sku} is sold out.` : `Of ${sku} only ${available} are available.`;
    const index = lines.findIndex((line) => line?.sku === sku);
    const pointer = jsonPointer(['lines', index, 'quantity']);
    return [{ code: 'out_of_stock' as const, detail, pointer }];
  });
}

function invalid(detail: string, ...path: readonly PropertyKey[]): CartProblem {
  return { code: 'invalid_request', detail, pointer: jsonPointer(path) };
}

function changed(detail: string, ...path: readonly PropertyKey[]): CartProblem {
  return { code: 'price_changed', detail, pointer: jsonPointer(path) };
}
