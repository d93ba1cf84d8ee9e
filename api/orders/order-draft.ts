/** Turns a request into an order draft: prices, sums and limits. Pure. */
import type { Language } from '../../domain/language.ts';
import { sumMinor } from '../../domain/money.ts';
import type { Adjustment, OrderLine } from '../../domain/order.ts';
import type { Product } from '../../domain/product.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { KeyClaim } from '../../prisma/access/idempotency.ts';
import type { OrderDraft } from '../../prisma/orders/place-order.ts';
import { priceChanged } from './responses.ts';
import { invalidRequest, type FieldError, type Problem } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { MAX_QUANTITY, type PlaceOrderBody } from '../schemas/orders.ts';
import { notChargeable, outsideLimits } from './amounts.ts';

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
  | { readonly kind: 'drafted'; readonly draft: OrderDraft }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** Prices the lines with the current catalog, within what can be charged in the currency. */
export function draftOrder(
  request: PlaceOrderRequest,
  products: readonly Product[],
  payments: Pick<PaymentGateway, 'limitsOf'>,
): DraftOutcome {
  const { body } = request;
  const limits = payments.limitsOf(body.currency);
  if (limits === null) return invalid([notChargeable(body.currency)]);
  const errors = findErrors(body, products);
  if (errors.length > 0) return invalid(errors);
  const lines = sumBySku(body, products);
  const adjustments = adjustmentsOf(body);
  const totalMinor = adjustments.reduce((sum, each) => sum + each.amountMinor, sumMinor(lines));
  const detail = outsideLimits({ amountMinor: totalMinor, currency: body.currency }, limits);
  if (detail !== null) return invalid([{ detail, pointer: jsonPointer(['lines']) }]);
  const expected = body.expected_total_minor;
  if (expected !== undefined && expected !== totalMinor) {
    const total = { amountMinor: totalMinor, currency: body.currency };
    return { kind: 'refused', problem: priceChanged(total, expected) };
  }
  return { kind: 'drafted', draft: toDraft(request, { lines, adjustments, totalMinor }) };
}

function findErrors(body: PlaceOrderBody, products: readonly Product[]): FieldError[] {
  const errors: FieldError[] = [];
  const quantities = new Map<string, number>();
  for (const [index, { sku, quantity }] of body.lines.entries()) {
    const product = products.find((each) => each.sku === sku);
    const sum = (quantities.get(sku) ?? 0) + quantity;
    quantities.set(sku, sum);
    if (product === undefined) {
      const detail = 'No product has this SKU.';
      errors.push({ detail, pointer: jsonPointer(['lines', index, 'sku']) });
    } else if (sum > MAX_QUANTITY) {
      const detail = `An order may contain ${MAX_QUANTITY} units of one product; ${sum} were requested.`;
      errors.push({ detail, pointer: jsonPointer(['lines', index, 'quantity']) });
    }
  }
  const foreign = products.find(({ currency }) => currency !== body.currency);
  if (foreign) {
    const detail = `${foreign.sku} is priced in ${foreign.currency}.`;
    errors.push({ detail, pointer: jsonPointer(['currency']) });
  }
  return errors;
}

/** One line per SKU, in the order of first occurrence. */
function sumBySku(body: PlaceOrderBody, products: readonly Product[]): readonly OrderLine[] {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of body.lines) {
    quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  }
  return [...quantities].flatMap(([sku, quantity]) => {
    const product = products.find((each) => each.sku === sku);
    if (!product) return [];
    return [{ sku, name: product.name, quantity, unitPriceMinor: product.priceMinor }];
  });
}

function adjustmentsOf({ adjustments }: PlaceOrderBody): readonly Adjustment[] {
  return adjustments.map(({ kind, label, amount_minor: amountMinor }) => ({
    kind,
    label,
    amountMinor,
  }));
}

function toDraft(
  { body, correlationId, traceparent, inspectable, defaultLanguage }: PlaceOrderRequest,
  priced: Pick<OrderDraft, 'lines' | 'adjustments' | 'totalMinor'>,
): OrderDraft {
  const { customer, shipping_address: address } = body;
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
    paymentMethod: body.payment_method,
    correlationId,
    traceparent,
    inspectable,
  };
}

function invalid(errors: readonly FieldError[]): DraftOutcome {
  return { kind: 'refused', problem: invalidRequest(errors) };
}
