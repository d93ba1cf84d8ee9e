/** Turns a request into an order draft, once its cart and its quote are found to be right. Pure. */
import type { Language } from '../../domain/language.ts';
import type { OrderLine } from '../../domain/order.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { KeyClaim } from '../../prisma/access/idempotency.ts';
import type { Offer } from '../../prisma/catalog/products.ts';
import type { OrderDraft } from '../../prisma/orders/place-order.ts';
import type { Quote } from '../../prisma/orders/quotes.ts';
import { checkCart, expectedTotal, unitsBySku, type PricedLine } from './cart.ts';
import { priceChanged } from './responses.ts';
import { invalidRequest, type FieldError, type Problem } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import type { PlaceOrderBody } from '../schemas/orders.ts';

export interface PlaceOrderRequest {
  readonly claim: KeyClaim;
  readonly body: PlaceOrderBody;
  readonly requestId: string;
  readonly correlationId: string;
  readonly traceparent: string | null;
  /** Every step of the checkout as an ordinary activity. */
  readonly inspectable: boolean;
  readonly defaultLanguage: Language;
  /** Aborted when the client no longer waits. No new work begins after that. */
  readonly signal: AbortSignal;
}

export type DraftOutcome =
  | {
      readonly kind: 'drafted';
      readonly draft: OrderDraft;
      /** There are fewer units than the lines want. */
      readonly isShort: boolean;
    }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** What an order is priced by. */
export interface Prices {
  readonly offers: readonly Offer[];
  /** The quote that the request names: null when there is none of this id, undefined when it names none. */
  readonly quote: Quote | null | undefined;
}

/**
 * Prices the lines with the current catalog, or with the quote while it is valid, within what can be
 * charged in the currency. An expired quote pins nothing, but its total is what the shopper was shown.
 */
export function draftOrder(
  request: PlaceOrderRequest,
  { offers, quote }: Prices,
  payments: Pick<PaymentGateway, 'limitsOf'>,
): DraftOutcome {
  const { body } = request;
  const misused = quoteError(body, quote);
  if (misused !== null) return refused([misused]);
  const context = {
    offers: quote?.isValid ? atQuotedPrices(offers, quote) : offers,
    limits: payments.limitsOf(body.currency),
    quotedMinor: quote && !quote.isValid ? quote.totalMinor : undefined,
  };
  const checked = checkCart(body, context);
  const { lines, adjustments, totalMinor, problems } = checked;
  const errors = [
    ...problems.filter(({ code }) => code === 'invalid_request'),
    ...methodErrors(body, totalMinor),
  ];
  if (totalMinor === null || errors.length > 0) return refused(errors);
  const changes = problems.filter(({ code }) => code === 'price_changed');
  if (changes.length > 0) {
    const total = { amountMinor: totalMinor, currency: body.currency };
    const problem = priceChanged(total, expectedTotal(body, context));
    return { kind: 'refused', problem: { ...problem, errors: changes.map(toFieldError) } };
  }
  const draft = toDraft(request, { lines: lines.map(toLine), adjustments, totalMinor });
  return { kind: 'drafted', draft, isShort: problems.length > 0 };
}

/** A card pays what store credit does not. */
function methodErrors(
  { credit_minor: creditMinor, payment_method: method }: PlaceOrderBody,
  totalMinor: number | null,
): readonly FieldError[] {
  if (method !== undefined || totalMinor === null || totalMinor === creditMinor) return [];
  const detail = 'Required, because store credit does not pay the whole total.';
  return [{ detail, pointer: jsonPointer(['payment_method']) }];
}

function quoteError(body: PlaceOrderBody, quote: Quote | null | undefined): FieldError | null {
  const pointer = jsonPointer(['quote']);
  if (quote === null) {
    return { detail: 'No quote has this id any more. Ask for a new one.', pointer };
  }
  if (quote === undefined || isOfCart(quote, body)) return null;
  return { detail: 'The quote is for another cart. Ask for one of this cart.', pointer };
}

/** Lines and adjustments are the same, whatever their texts; several lines of one SKU are one. */
function isOfCart(quote: Quote, { lines, adjustments, currency }: PlaceOrderBody): boolean {
  const quoted = unitsBySku(quote.lines);
  const wanted = unitsBySku(lines);
  return (
    quote.currency === currency &&
    quoted.size === wanted.size &&
    [...wanted].every(([sku, units]) => quoted.get(sku) === units) &&
    quote.adjustments.length === adjustments.length &&
    adjustments.every(({ kind, amount_minor: amountMinor }, index) => {
      const other = quote.adjustments[index];
      return other?.kind === kind && other.amountMinor === amountMinor;
    })
  );
}

function atQuotedPrices(offers: readonly Offer[], { lines, currency }: Quote): readonly Offer[] {
  return offers.map((offer) => {
    const quoted = lines.find(({ sku }) => sku === offer.sku);
    return quoted ? { ...offer, priceMinor: quoted.unitPriceMinor, currency, prices: [] } : offer;
  });
}

function toLine({ sku, name, quantity, unitPriceMinor }: PricedLine): OrderLine {
  return { sku, name, quantity, unitPriceMinor };
}

function toDraft(
  { body, correlationId, traceparent, inspectable, defaultLanguage }: PlaceOrderRequest,
  priced: Pick<OrderDraft, 'lines' | 'adjustments' | 'totalMinor'>,
): OrderDraft {
  const { customer, shipping_address: address } = body;
  const { credit_minor: creditMinor, payment_method: method = null } = body;
  return {
    customer: {
      email: customer.email,
      name: customer.name,
      phone: customer.phone ?? null,
      language: customer.language,
      smsConsent: customer.sms_consent,
    },
    defaultLanguage,
    shippingAddress: {
      line1: address.line1,
      ...(address.line2 === undefined ? {} : { line2: address.line2 }),
      city: address.city,
      ...(address.region === undefined ? {} : { region: address.region }),
      ...(address.postal_code === undefined ? {} : { postalCode: address.postal_code }),
      country: address.country,
    },
    ...priced,
    currency: body.currency,
    creditMinor,
    fulfillment: body.fulfillment,
    paymentMethod: priced.totalMinor === creditMinor ? null : method,
    correlationId,
    traceparent,
    inspectable,
  };
}

function refused(errors: readonly FieldError[]): DraftOutcome {
  return { kind: 'refused', problem: invalidRequest(errors.map(toFieldError)) };
}

function toFieldError({ detail, pointer }: FieldError): FieldError {
  return { detail, ...(pointer !== undefined && { pointer }) };
}
