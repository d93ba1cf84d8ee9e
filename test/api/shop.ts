/**
 * A whole shop behind `app.request`: its own database, its own providers over real HTTP, the real
 * gateways. Temporal is a recorder of what was asked of it, for tests in which it does not matter.
 */
import type { ADMISSION_LIMITS } from '../../api/admission.ts';
import { createApp } from '../../api/app.ts';
import type { Checkouts } from '../../api/checkouts.ts';
import type { Deliveries } from '../../api/deliveries.ts';
import type { Refunds } from '../../api/refunds.ts';
import type { StreamLimits } from '../../api/event-streams.ts';
import { createServices, type Services } from '../../api/services.ts';
import { createHttpWarehouse } from '../../gateways/http-warehouse.ts';
import { MAIL_LIMITS, PAYMENT_LIMITS, WAREHOUSE_LIMITS } from '../../gateways/limits.ts';
import { createPaymentWebhookVerifier } from '../../gateways/payment-webhook.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createSmtpMailer } from '../../gateways/smtp-mailer.ts';
import { createStripePayments } from '../../gateways/stripe-payments.ts';
import { createCallbackVerifier } from '../../gateways/warehouse-callback.ts';
import { createWebhookSender } from '../../gateways/webhook-sender.ts';
import { createSandbox, type Sandbox } from '../../local/sandbox/sandbox.ts';
import { createLog } from '../../logging.ts';
import type { Role } from '../../prisma/api-keys.ts';
import { createDatabase, type Database } from '../../prisma/client.ts';
import { createNotifications } from '../../prisma/notifications.ts';
import { seed } from '../../prisma/seed.ts';
import { createTestDatabase } from '../support/database.ts';
import {
  createCheckoutRecorder,
  createDeliveryRecorder,
  createRefundRecorder,
  createUpkeepRecorder,
  type RecordedCheckouts,
  type RecordedDeliveries,
  type RecordedRefunds,
  type RecordedUpkeep,
} from './recorders.ts';

export const CALLBACK_SECRET = `whsec_${Buffer.from('the shop and its warehouse').toString('base64')}`;
export const WEBHOOK_SECRET = 'whsec_the_shop_and_its_payment_provider';

/** A shopper's calls are not late on a busy machine; the budget of a request has room for two. */
const PATIENT_MS = 5_000;
/** So that a reader who is answered earlier was not kept waiting by the warehouse. */
const LOOKUP_DEADLINE_MS = 60_000;

export interface ShopOptions {
  readonly production?: boolean;
  readonly databaseUrl?: string;
  /** Instead of the recorder. */
  readonly checkouts?: Checkouts;
  readonly deliveries?: Deliveries;
  readonly refunds?: Refunds;
  /** Something between the API and its payment provider. */
  readonly payments?: (real: PaymentGateway) => PaymentGateway;
  /** Only where the deadline is what a test is about. */
  readonly authorizeDeadlineMs?: number;
  readonly streamLimits?: Partial<StreamLimits>;
  readonly admissionLimits?: typeof ADMISSION_LIMITS;
  readonly poolSize?: number;
}

export interface Asked {
  readonly role?: Role | null;
  readonly body?: unknown;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Shop {
  readonly db: Database;
  readonly sandbox: Sandbox;
  readonly services: Services;
  readonly checkouts: RecordedCheckouts;
  readonly deliveries: RecordedDeliveries;
  readonly refunds: RecordedRefunds;
  readonly upkeep: RecordedUpkeep;
  readonly gateways: ReturnType<typeof createGateways>;
  readonly logged: string[];
  readonly draining: { now: boolean };
  ask(method: string, path: string, asked?: Asked): Promise<Response>;
  /** POST /v1/orders as a storefront. */
  place(changes?: object, key?: string): Promise<Response>;
  /** Adds a product with so many units. */
  stock(sku: string, units: number, product?: object): Promise<void>;
  close(): Promise<void>;
}

export async function createShop(options: ShopOptions = {}): Promise<Shop> {
  const database = await createTestDatabase();
  const url = options.databaseUrl ?? database.url;
  const db = createDatabase({ url, poolSize: options.poolSize ?? 20 });
  const watchDb = createDatabase({ url, poolSize: 2 });
  const sandbox = await createSandbox({
    warehouseCallbackSecret: CALLBACK_SECRET,
    callbackDelayMs: 0,
    retryDelaysMs: [],
  });
  if (options.databaseUrl === undefined) await seed(db);
  const logged: string[] = [];
  const draining = { now: false };
  const checkouts = createCheckoutRecorder();
  const deliveries = createDeliveryRecorder(checkouts);
  const refunds = createRefundRecorder(checkouts);
  const upkeep = createUpkeepRecorder(checkouts);
  const gateways = createGateways(sandbox, options.authorizeDeadlineMs ?? PATIENT_MS);
  const notifications = createNotifications({ url });
  const services = createServices({
    db,
    watchDb,
    ...gateways,
    payments: options.payments?.(gateways.payments) ?? gateways.payments,
    checkouts: options.checkouts ?? checkouts,
    upkeep,
    deliveries: options.deliveries ?? deliveries,
    refunds: options.refunds ?? refunds,
    webhooks: createWebhookSender({ allowLocal: true, deadlineMs: 1_000 }),
    notifications,
    verifyCallback: createCallbackVerifier(CALLBACK_SECRET),
    verifyPaymentWebhook: createPaymentWebhookVerifier(WEBHOOK_SECRET),
    log: createLog('info', { write: (line) => void logged.push(line) }),
    production: options.production ?? false,
    needsTemporal: false,
    isDraining: () => draining.now,
    streamLimits: options.streamLimits,
    admissionLimits: options.admissionLimits,
  });
  const app = createApp(services);

  const ask: Shop['ask'] = async (method, path, asked = {}) => {
    const { role = 'storefront', body, key } = asked;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return app.request(path, {
      method,
      headers: {
        ...(role && { authorization: `Bearer hf_local_${role}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
        ...asked.headers,
      },
      ...(body !== undefined && { body: text }),
      ...(asked.signal && { signal: asked.signal }),
    });
  };
  return {
    db,
    sandbox,
    services,
    checkouts,
    deliveries,
    refunds,
    upkeep,
    gateways,
    logged,
    draining,
    ask,
    place: (changes = {}, key = crypto.randomUUID()) =>
      ask('POST', '/v1/orders', { key, body: { ...orderBody(), ...changes } }),
    async stock(sku, units, product = {}) {
      const body = { name: sku, price_minor: 1_000, currency: 'EUR', ...product };
      await ask('PUT', `/v1/products/${sku}`, { role: 'admin', body });
      if (units === 0) return;
      const change = {
        role: 'operator',
        key: sku,
        body: { delta: units, reason: 'test' },
      } as const;
      await ask('POST', `/v1/products/${sku}/stock`, change);
    },
    async close() {
      await services.close();
      await notifications.close();
      gateways.mailer.close();
      await Promise.all([db.$disconnect(), watchDb.$disconnect()]);
      await sandbox.close();
      await database.drop();
    },
  };
}

/** What a shopper sends; `lines` and the like are replaced by the test. */
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
    payment_method: 'pm_card_visa',
  };
}

/** How often each effect happened at the payment provider, for one order or for all. */
export function paymentEffects(shop: Shop, orderId?: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const effect of shop.sandbox.ledgers.payments.effects()) {
    if (orderId !== undefined && effect.order_id !== orderId) continue;
    counts[effect.operation] = (counts[effect.operation] ?? 0) + 1;
  }
  return counts;
}

function createGateways(sandbox: Sandbox, authorizeDeadlineMs: number) {
  const { authorize, find, ...payments } = PAYMENT_LIMITS;
  // Breakers stay closed: what opens them is tested with the gateways.
  const closed = { breakAfter: 1_000_000, maxQueued: 1_000 };
  return {
    payments: createStripePayments({
      apiKey: 'sk_test_shop',
      apiUrl: sandbox.url,
      limits: {
        ...payments,
        authorize: { ...authorize, ...closed, deadlineMs: authorizeDeadlineMs },
        find: { ...find, deadlineMs: PATIENT_MS },
      },
    }),
    warehouse: createHttpWarehouse({
      baseUrl: sandbox.url,
      apiKey: 'shop',
      limits: {
        ...WAREHOUSE_LIMITS,
        lookup: { ...WAREHOUSE_LIMITS.lookup, ...closed, deadlineMs: LOOKUP_DEADLINE_MS },
      },
    }),
    mailer: createSmtpMailer({
      smtpUrl: `smtp://127.0.0.1:${sandbox.smtpPort}`,
      from: 'Holdfast <orders@holdfast.example>',
      limits: MAIL_LIMITS,
    }),
  };
}
