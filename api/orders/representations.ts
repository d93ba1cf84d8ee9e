/** Domain objects on the wire. Pure: the result does not depend on the caller. */
import { orderNumber } from '../../domain/order-number.ts';
import { cardMinor, chargeOf, type Adjustment, type Order } from '../../domain/order.ts';
import type { Payment } from '../../domain/payment.ts';
import type { Product, Stock } from '../../domain/product.ts';
import type { Refund } from '../../domain/refund.ts';
import type { PaymentWait } from '../../prisma/orders/payment-actions.ts';
import type { OrderCounts } from '../../prisma/orders/list-orders.ts';
import type { OrderBody, PlacedOrderBody } from '../schemas/orders.ts';
import type { StockedProduct } from '../../prisma/catalog/stock-list.ts';
import type { OrderCountsBody } from '../schemas/order-lists.ts';
import type { ProductBody, StockBody, StockItemBody } from '../schemas/products.ts';
import type { RefundEntryBody } from '../schemas/refund-entry.ts';
import type { RefundBody } from '../schemas/refunds.ts';

/** The order without payment, shipment, refunds and timeline. */
export function orderBody(order: Order): OrderBody {
  const { line1, line2, city, region, postalCode, country } = order.shippingAddress;
  const { email, name, phone, language, smsConsent } = order.customer;
  return {
    id: order.id,
    object: 'order',
    order_number: orderNumber(order.id),
    status: order.status,
    version: order.version,
    currency: order.currency,
    total_minor: order.totalMinor,
    credit_minor: order.creditMinor,
    fulfillment: order.fulfillment,
    due_minor: chargeOf(order).dueMinor,
    lines: order.lines.map((line) => ({
      sku: line.sku,
      name: line.name,
      quantity: line.quantity,
      unit_price_minor: line.unitPriceMinor,
      reserved_quantity: line.reservedQuantity ?? null,
    })),
    adjustments: order.adjustments.map(adjustmentBody),
    customer: { email, name, phone, language, sms_consent: smsConsent },
    shipping_address: {
      line1,
      ...(line2 === undefined ? {} : { line2 }),
      city,
      ...(region === undefined ? {} : { region }),
      ...(postalCode === undefined ? {} : { postal_code: postalCode }),
      country,
    },
    cancel_reason: order.cancelReason,
    attention_step: order.attentionStep,
    erased_at: order.erasedAt,
    created_at: order.createdAt,
    updated_at: order.updatedAt,
  };
}

export function adjustmentBody({
  kind,
  label,
  amountMinor,
}: Adjustment): OrderBody['adjustments'][number] {
  return { kind, label, amount_minor: amountMinor };
}

export function countsBody(
  { byStatus, settledSince }: OrderCounts,
  { retrying, oldestRetryAt }: { readonly retrying: number; readonly oldestRetryAt: string | null },
): OrderCountsBody {
  return {
    object: 'order_counts',
    by_status: { ...byStatus },
    settled_since: settledSince,
    retrying,
    oldest_retry_at: oldestRetryAt,
  };
}

/** The order right after it was placed, with the card's part authorized and nothing captured. */
export function placedOrderBody(order: Order): PlacedOrderBody {
  return {
    ...orderBody(order),
    payment: {
      status: 'authorized',
      amount_minor: cardMinor(order),
      captured_minor: 0,
      refunded_minor: 0,
      credited_minor: 0,
      currency: order.currency,
      decline_code: null,
      action_expires_at: null,
    },
  };
}

export function paymentBody(
  payment: Payment,
  wait: PaymentWait | null,
): PlacedOrderBody['payment'] {
  return {
    status: payment.status,
    amount_minor: payment.amountMinor,
    captured_minor: payment.capturedMinor,
    refunded_minor: payment.refundedMinor,
    credited_minor: payment.creditedMinor,
    currency: payment.currency,
    decline_code: payment.declineCode,
    action_expires_at: wait === null ? null : wait.expiresAt.toISOString(),
  };
}

/** A refund within its order. */
export function refundEntryBody(refund: Refund): RefundEntryBody {
  return {
    id: refund.id,
    status: refund.status,
    cause: refund.cause,
    amount_minor: refund.amountMinor,
    credit_minor: refund.creditMinor,
    currency: refund.currency,
    lines: refund.lines.map(({ sku, quantity, amountMinor, restock }) => ({
      sku,
      quantity,
      amount_minor: amountMinor,
      restock,
    })),
    requested_at: refund.requestedAt,
    settled_at: refund.settledAt,
  };
}

/** A refund for operators. */
export function refundBody(refund: Refund): RefundBody {
  return {
    object: 'refund',
    ...refundEntryBody(refund),
    order_id: refund.orderId,
    reason: refund.reason,
    failure_code: refund.failureCode,
    provider_reference: refund.providerReference,
  };
}

export function productBody(product: Product): ProductBody {
  return {
    object: 'product',
    sku: product.sku,
    name: product.name,
    description: product.description,
    price_minor: product.priceMinor,
    currency: product.currency,
    prices: product.prices.map(({ currency, priceMinor }) => ({
      currency,
      price_minor: priceMinor,
    })),
    archived: product.archived,
    version: product.version,
    updated_at: product.updatedAt,
  };
}

export function stockBody(stock: Stock): StockBody {
  return {
    object: 'stock',
    sku: stock.sku,
    on_hand: stock.onHand,
    held: stock.held,
    available: stock.available,
  };
}

/** The stock of a product in a list. */
export function stockItemBody(stocked: StockedProduct): StockItemBody {
  return {
    ...stockBody(stocked),
    name: stocked.name,
    price_minor: stocked.priceMinor,
    currency: stocked.currency,
    sold_today: stocked.soldToday,
  };
}
