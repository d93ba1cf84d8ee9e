/** Requests to the shop that several tools send: the body of an order, a product with stock. */
import { z } from 'zod';
import { callFor } from './http.ts';

export interface OrderRequest {
  readonly email: string;
  readonly name: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  /** Left out: store credit pays all. */
  readonly paymentMethod?: string;
  readonly creditMinor?: number;
  readonly fulfillment?: 'all_or_nothing' | 'ship_available';
  /** A number at which the customer agreed to SMS. */
  readonly smsTo?: string;
}

/** The body of `POST /v1/orders`. */
export function orderBody(order: OrderRequest) {
  const { email, name, lines, paymentMethod, creditMinor, fulfillment, smsTo } = order;
  return {
    customer: { email, name, ...(smsTo !== undefined && { phone: smsTo, sms_consent: true }) },
    shipping_address: {
      line1: '1 Main Street',
      city: 'Springfield',
      region: 'IL',
      postal_code: '62701',
      country: 'US',
    },
    lines,
    currency: 'EUR',
    payment_method: paymentMethod,
    fulfillment,
    ...(creditMinor !== undefined && { credit_minor: creditMinor }),
  };
}

/** Creates or updates the product and adds units to its stock. Rejects when either call fails. */
export async function stockProduct(
  api: string,
  product: { readonly sku: string; readonly name: string; readonly priceMinor: number },
  units: number,
): Promise<void> {
  const { sku, name, priceMinor } = product;
  const url = `${api}/v1/products/${sku}`;
  const body = { name, price_minor: priceMinor, currency: 'EUR' };
  const stock = { delta: units, reason: 'stock for a test run' };
  await callFor({ url, method: 'PUT', role: 'admin', body }, z.unknown());
  await callFor({ url: `${url}/stock`, method: 'POST', role: 'admin', body: stock }, z.unknown());
}

/** Registers a customer with store credit in EUR. Rejects when a call fails. */
export async function creditCustomer(
  api: string,
  { email, name, amountMinor }: Pick<OrderRequest, 'email' | 'name'> & { amountMinor: number },
): Promise<void> {
  const url = `${api}/v1/customers`;
  const registration = { url, method: 'POST', role: 'storefront', body: { email, name } } as const;
  const { id } = await callFor(registration, z.object({ id: z.string() }));
  const body = { amount_minor: amountMinor, currency: 'EUR', reason: 'credit for a test run' };
  const grant = { url: `${url}/${id}/credit`, method: 'POST', role: 'operator', body } as const;
  await callFor(grant, z.unknown());
}
