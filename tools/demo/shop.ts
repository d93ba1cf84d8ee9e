/** The shop as the demo uses it: only its public HTTP API. */
import { z } from 'zod';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { call, callFor, type HttpResult } from '../http.ts';
import { orderBody, type OrderRequest } from '../shop-requests.ts';

export type TimelineEntry = z.infer<typeof timelineSchema>['data'][number];
type Order = z.infer<typeof orderSchema>;

export interface Shop {
  place(order: OrderRequest): Promise<HttpResult>;
  /** Says that the shopper has confirmed the payment at the bank. */
  confirm(orderId: OrderId): Promise<HttpResult>;
  /** Every event, as an operator sees them. */
  timeline(orderId: OrderId): Promise<readonly TimelineEntry[]>;
  show(orderId: OrderId): Promise<Order>;
  /** The newest order under the e-mail address, or null. */
  find(email: string): Promise<OrderId | null>;
  /** Units of the SKU that are held for orders now. */
  held(sku: string): Promise<number>;
}

/** The workflows are there to be looked at. */
export const INSPECTABLE = { prefer: 'inspectable' };

export const orderIdSchema = z.custom<OrderId>((id) => typeof id === 'string' && isOrderId(id));
/** The response to an order whose bank asks the shopper to confirm. */
export const paymentActionSchema = z.object({
  order_id: orderIdSchema,
  /** Stripe's: the id of the PaymentIntent, `_secret_`, and the secret. */
  client_secret: z.templateLiteral([z.string(), '_secret_', z.string()]),
});

/** The payment at the provider, whose id the secret begins with. */
export function intentOf({ client_secret: secret }: z.infer<typeof paymentActionSchema>): string {
  return secret.slice(0, secret.indexOf('_secret_'));
}

const timelineSchema = z.object({
  data: z.array(
    z.object({ type: z.string(), time: z.string(), data: z.record(z.string(), z.unknown()) }),
  ),
});
const orderSchema = z.object({
  status: z.string(),
  cancel_reason: z.string().nullable(),
  payment: z.object({ status: z.string() }).nullable(),
});
const stockSchema = z.object({ held: z.number() });
const listSchema = z.object({ data: z.array(z.object({ id: orderIdSchema })) });

export function createShop(api: string, signal: AbortSignal): Shop {
  const url = `${api}/v1/orders`;
  const asCustomer = { role: 'storefront', signal } as const;
  const asOperator = { role: 'operator', signal } as const;
  return {
    place: (order) =>
      call({ url, method: 'POST', body: orderBody(order), headers: INSPECTABLE, ...asCustomer }),
    confirm: (orderId) => call({ url: `${url}/${orderId}/confirm`, method: 'POST', ...asCustomer }),
    timeline: async (orderId) =>
      (await callFor({ url: `${url}/${orderId}/timeline`, ...asOperator }, timelineSchema)).data,
    show: (orderId) => callFor({ url: `${url}/${orderId}`, ...asCustomer }, orderSchema),
    find: async (email) => {
      const query = `limit=1&email=${encodeURIComponent(email)}`;
      const { data } = await callFor({ url: `${url}?${query}`, ...asOperator }, listSchema);
      return data[0]?.id ?? null;
    },
    held: async (sku) => {
      const stockUrl = `${api}/v1/products/${sku}/stock`;
      return (await callFor({ url: stockUrl, ...asOperator }, stockSchema)).held;
    },
  };
}
