/** The API as its callers in TypeScript use it: Hono's typed client over the routes' own types. */
import { randomUUID } from 'node:crypto';
import { hc } from 'hono/client';
import { inject } from 'vitest';
import type { App } from '../../api/app.ts';
import type { Fulfillment } from '../../domain/order.ts';
import type { Role } from '../../prisma/access/api-keys.ts';

/** A person's data. */
export const PERSON = {
  email: 'canary.person@example.com',
  name: 'Canary Person',
  phone: '+49 30 5550100',
  street: '77 Canary Street',
} as const;
export const GOOD_CARD = 'pm_card_visa';
/** All that is theirs, never to be found in Temporal. */
export const CANARIES: readonly string[] = [...Object.values(PERSON), '+49305550100', GOOD_CARD];
export const DECLINED_CARD = 'pm_card_chargeDeclinedInsufficientFunds';

/** Its bank asks the shopper to confirm, and then approves. */
export const CHALLENGED_CARD = 'pm_card_threeDSecure2Required';

export type Api = ReturnType<typeof createApi>;
type Fetch = typeof fetch;

/** The client of one role: of a server at a URL, or by a `fetch` of its own. */
export function createApi(target: string | Fetch, role: Role = 'storefront') {
  const headers = { authorization: `Bearer hf_local_${role}` };
  if (typeof target === 'string') return hc<App>(target, { headers });
  return hc<App>('http://shop.test', { headers, fetch: target });
}

/** The client of a storefront of an app in this process. */
export function apiOf(app: Pick<App, 'request'>): Api {
  return createApi(async (input, init) => app.request(input, init));
}

/** POST /v1/orders: one white mug, unless `changes` replaces parts of the body. */
export async function placeOrder(
  api: Api,
  changes: object = {},
  { key = randomUUID(), headers = {}, signal }: PlaceOptions = {},
): Promise<Response> {
  const json = { ...orderBody(), ...changes };
  return api.v1.orders.$post(
    { json, header: { 'idempotency-key': key } },
    { headers, ...(signal && { init: { signal } }) },
  );
}

export interface PlaceOptions {
  readonly key?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** What a shopper sends. */
export function orderBody() {
  return {
    customer: { email: 'ada@example.com', name: 'Ada Example' },
    shipping_address: {
      line1: '1 Example Street',
      city: 'Berlin',
      postal_code: '10115',
      country: 'DE',
    },
    lines: [{ sku: 'mug-white', quantity: 1 }],
    currency: 'EUR',
    payment_method: GOOD_CARD,
  };
}

/** The same of the person whose data must not be found in Temporal; two white mugs by default. */
export function canaryOrder({
  sku = 'mug-white',
  quantity = 2,
  card = GOOD_CARD,
  sms = false,
  creditMinor = 0,
  currency = 'EUR',
  fulfillment = 'all_or_nothing',
}: Line = {}) {
  const { street: line1, ...customer } = PERSON;
  return {
    ...orderBody(),
    customer: { ...customer, ...(sms && { sms_consent: true }) },
    shipping_address: { line1, city: 'Berlin', postal_code: '10115', country: 'DE' },
    lines: [{ sku, quantity }],
    currency,
    payment_method: card,
    credit_minor: creditMinor,
    fulfillment,
  };
}

export interface Line {
  readonly sku?: string;
  readonly quantity?: number;
  readonly card?: string;
  readonly currency?: string;
  /** Of the person's store credit. */
  readonly creditMinor?: number;
  /** All of it by default. */
  readonly fulfillment?: Fulfillment;
  /** The customer has agreed to get SMS. */
  readonly sms?: boolean;
  /** Every step of its checkout is an ordinary activity. */
  readonly inspectable?: boolean;
}

/** The headers by which an order is placed as the line says; by default as the project says. */
export function preferenceOf({
  inspectable = inject('inspectable'),
}: Line): Record<string, string> {
  return inspectable ? { prefer: 'inspectable' } : {};
}
