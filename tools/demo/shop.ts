/** The shop as the demo uses it: only what its HTTP API offers to everybody. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ask, call, type Answer } from './http.ts';

interface Purchase {
  readonly email: string;
  readonly sku: string;
  readonly quantity: number;
  readonly paymentMethod: string;
}

export interface TimelineEntry {
  readonly seq: number;
  readonly type: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface OrderSeen {
  readonly id: string;
  readonly status: string;
  readonly cancelReason: string | null;
  readonly payment: string | null;
}

export interface Shop {
  place(purchase: Purchase): Promise<Answer>;
  timeline(orderId: string): Promise<readonly TimelineEntry[]>;
  show(orderId: string): Promise<OrderSeen>;
  /** The newest order under the address, or null. */
  find(email: string): Promise<string | null>;
  /** Units of the SKU that are held for orders now. */
  held(sku: string): Promise<number>;
}

const STOREFRONT = { authorization: 'Bearer hf_local_storefront' };
const OPERATOR = { authorization: 'Bearer hf_local_operator' };

const timelineForm = z.object({
  data: z.array(
    z.object({
      seq: z.number(),
      type: z.string(),
      time: z.string(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
});
const orderForm = z.object({
  id: z.string(),
  status: z.string(),
  cancel_reason: z.string().nullable(),
  payment: z.object({ status: z.string() }).nullable(),
});
const stockForm = z.object({ held: z.number() });
const listForm = z.object({ data: z.array(z.object({ id: z.string() })) });

export function createShop(api: string, signal: AbortSignal): Shop {
  const orders = `${api}/v1/orders`;
  return {
    place: (purchase) =>
      call({
        url: orders,
        method: 'POST',
        headers: { ...STOREFRONT, 'idempotency-key': randomUUID() },
        body: bodyOf(purchase),
        signal,
      }),
    timeline: async (orderId) => {
      const url = `${orders}/${orderId}/timeline`;
      return (await ask({ url, headers: STOREFRONT, signal }, timelineForm)).data;
    },
    show: async (orderId) => {
      const url = `${orders}/${orderId}`;
      const order = await ask({ url, headers: STOREFRONT, signal }, orderForm);
      return {
        id: order.id,
        status: order.status,
        cancelReason: order.cancel_reason,
        payment: order.payment?.status ?? null,
      };
    },
    find: async (email) => {
      const url = `${orders}?limit=1&email=${encodeURIComponent(email)}`;
      const { data } = await ask({ url, headers: OPERATOR, signal }, listForm);
      return data[0]?.id ?? null;
    },
    held: async (sku) => {
      const url = `${api}/v1/products/${sku}/stock`;
      return (await ask({ url, headers: OPERATOR, signal }, stockForm)).held;
    },
  };
}

function bodyOf({ email, sku, quantity, paymentMethod }: Purchase): object {
  return {
    customer: { email, name: 'Ada Lovelace' },
    shipping_address: {
      line1: '12 St James Square',
      city: 'London',
      postal_code: 'SW1Y 4JH',
      country: 'GB',
    },
    lines: [{ sku, quantity }],
    currency: 'EUR',
    payment_method: paymentMethod,
  };
}
