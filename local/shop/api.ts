/** What the shop asks of the API, and what it reads of the answers. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Language } from '../../domain/language.ts';
import {
  ApiUnavailable,
  createConnection,
  type Answer,
  type ConnectionOptions,
} from './connection.ts';

const priceSchema = z.object({ currency: z.string(), price_minor: z.number() });
const productSchema = priceSchema.extend({
  sku: z.string(),
  name: z.string(),
  /** In other currencies. */
  prices: z.array(priceSchema),
});
export type PricedProduct = z.output<typeof productSchema> & {
  /** Null when it could not be read. */
  readonly available: number | null;
};
/** At its price in one currency. */
export type Product = Omit<PricedProduct, 'prices'>;

const adjustmentSchema = z.object({
  kind: z.string(),
  label: z.string(),
  amount_minor: z.number(),
});
export type Adjustment = z.output<typeof adjustmentSchema>;

const quoteSchema = z.object({
  /** Null: something is wrong with the cart. */
  id: z.string().nullable(),
  expires_at: z.string().nullable(),
  total_minor: z.number().nullable(),
  problems: z.array(z.object({ code: z.string(), detail: z.string(), pointer: z.string() })),
});
export type Quote = z.output<typeof quoteSchema>;

const orderSchema = z.object({
  id: z.string(),
  order_number: z.string().optional(),
  status: z.string(),
  currency: z.string(),
  total_minor: z.number(),
  /** What is paid: less than the total where less is sent. */
  due_minor: z.number(),
  lines: z.array(
    z.object({
      sku: z.string(),
      name: z.string(),
      quantity: z.number(),
      unit_price_minor: z.number(),
      /** Fewer than ordered: the warehouse has no more. Null: all. */
      reserved_quantity: z.number().nullable(),
    }),
  ),
  adjustments: z.array(adjustmentSchema),
  payment: z
    .object({
      status: z.string(),
      /** Until when the shopper can confirm it at the bank. */
      action_expires_at: z.string().nullable(),
    })
    .nullable(),
  refunds: z.array(z.object({ id: z.string(), status: z.string(), amount_minor: z.number() })),
  customer: z.object({ name: z.string(), email: z.string() }),
  created_at: z.string(),
});
export type Order = z.output<typeof orderSchema>;

const timelineEntrySchema = z.object({
  seq: z.number(),
  type: z.string(),
  time: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type TimelineEntry = z.output<typeof timelineEntrySchema>;

/** The body of `POST /v1/quotes`. */
export interface Cart {
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly adjustments: readonly Adjustment[];
  readonly currency: string;
}

/** The body of `POST /v1/orders`. */
export interface PlaceOrder extends Cart {
  readonly customer: {
    readonly name: string;
    readonly email: string;
    readonly phone?: string;
    readonly language: Language;
    readonly sms_consent: boolean;
  };
  readonly shipping_address: Readonly<Record<'line1' | 'city' | 'postal_code' | 'country', string>>;
  readonly payment_method: string;
  /** Left out: all or nothing. */
  readonly fulfillment?: 'ship_available';
  readonly expected_total_minor: number;
  readonly quote?: string;
}

export interface ShopApi {
  /** In SKU order, at most 100. Rejects with ApiUnavailable. */
  products(): Promise<readonly PricedProduct[]>;
  /** Null when there is no such order. Rejects with ApiUnavailable. */
  order(id: string): Promise<Order | null>;
  /** The events so far, oldest first. Rejects with ApiUnavailable. */
  timeline(id: string): Promise<readonly TimelineEntry[]>;
  /** The events from the first one on, as they happen, until `signal`. Rejects with ApiUnavailable. */
  follow(id: string, signal: AbortSignal): AsyncIterable<TimelineEntry>;
  /** What the cart costs, and what is wrong with it. Rejects with ApiUnavailable. */
  quote(cart: Cart): Promise<Quote>;
  place(order: PlaceOrder, key: string): Promise<Answer>;
  /** What became of the payment that the shopper was to confirm at the bank. */
  confirm(id: string): Promise<Answer>;
  cancel(id: string, key: string): Promise<Answer>;
}

const productList = z.object({ data: z.array(productSchema) });
const stockSchema = z.object({ available: z.number() });
const timelineList = z.object({ data: z.array(timelineEntrySchema) });

export function createShopApi(options: ConnectionOptions): ShopApi {
  const { read, write, stream } = createConnection(options);
  const orderPath = (id: string): string => `/v1/orders/${encodeURIComponent(id)}`;

  async function* follow(id: string, signal: AbortSignal): AsyncIterable<TimelineEntry> {
    for await (const data of stream(`${orderPath(id)}/timeline`, signal)) {
      const entry = timelineEntrySchema.safeParse(data);
      if (!entry.success) throw new ApiUnavailable('an event is not as documented');
      yield entry.data;
    }
  }

  async function availableOf(sku: string): Promise<number | null> {
    const stock = await read(`/v1/products/${encodeURIComponent(sku)}/stock`, stockSchema);
    return stock?.available ?? null;
  }

  return {
    products: async () => {
      const { data } = (await read('/v1/products?limit=100', productList)) ?? { data: [] };
      return Promise.all(
        data.map(async (product) => {
          const available = await availableOf(product.sku).catch(() => null);
          return { ...product, available };
        }),
      );
    },
    order: (id) => read(orderPath(id), orderSchema),
    timeline: async (id) => (await read(`${orderPath(id)}/timeline`, timelineList))?.data ?? [],
    follow,
    quote: async (cart) => {
      const { status, body } = await write('/v1/quotes', randomUUID(), cart);
      const parsed = quoteSchema.safeParse(body);
      if (parsed.success) return parsed.data;
      throw new ApiUnavailable(`POST /v1/quotes was answered with ${status}`);
    },
    place: (order, key) => write('/v1/orders', key, order),
    confirm: (id) => write(`${orderPath(id)}/confirm`, randomUUID()),
    cancel: (id, key) => write(`${orderPath(id)}/cancel`, key, {}),
  };
}
