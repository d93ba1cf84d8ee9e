/**
 * A whole shop for a test file: its own database, its own providers over real HTTP and SMTP, the real
 * gateways, the API. Temporal is a recorder of what was asked of it, unless one is given; with workers
 * it is in running-shop.ts.
 */
import { beforeEach, expect, onTestFinished } from 'vitest';
import type { CONCURRENCY_LIMITS } from '../../api/limits/request-class.ts';
import { createApp } from '../../api/app.ts';
import type { StreamLimits } from '../../api/http/sse.ts';
import { createServices, type Services } from '../../api/context.ts';
import { createPaymentWebhookVerifier } from '../../gateways/stripe/webhook.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createCallbackVerifier } from '../../gateways/warehouse/callback.ts';
import { createWebhookSender } from '../../gateways/webhooks/sender.ts';
import { createSandbox, type Sandbox } from '../../local/sandbox/sandbox.ts';
import { createLog } from '../../telemetry/logging.ts';
import type { Role } from '../../prisma/access/api-keys.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { createNotifications } from '../../prisma/client/listen.ts';
import { createSecretCipher } from '../../prisma/client/secret-cipher.ts';
import { findOrder, startOf, type CheckoutStart } from '../../prisma/orders/orders.ts';
import { createScheduleClient } from '../../temporal/schedule-client.ts';
import { seed } from '../../prisma/seed.ts';
import { apiOf, canaryOrder, placeOrder, preferenceOf, type Api, type Line } from './client.ts';
import { withDocument } from './documented.ts';
import { createTestDatabase, TIMEOUT_FACTOR } from './database.ts';
import { createGateways, type Deadlines, type Gateways } from './gateways.ts';
import { placedOrder } from './orders.ts';
import { problemOf } from './responses.ts';
import { useOpened } from './use-opened.ts';
import { createRecorders, resetRecorders, type Recorders } from './recorders.ts';

export const CALLBACK_SECRET = `whsec_${Buffer.from('the shop and its warehouse').toString('base64')}`;
export const CIPHER = createSecretCipher([{ id: 'tests', key: Buffer.alloc(32, 'a key') }]);
export const WEBHOOK_SECRET = 'whsec_the_shop_and_its_payment_provider';

export interface ShopOptions {
  readonly production?: boolean;
  readonly trustedProxies?: number;
  readonly databaseUrl?: string;
  /** Instead of the recorders. */
  readonly temporal?: Partial<Pick<Services, 'checkouts' | 'deliveries' | 'refunds' | 'schedules'>>;
  /** Something between the API and its payment provider. */
  readonly payments?: (real: PaymentGateway) => PaymentGateway;
  /** Only where a deadline is what a test is about. */
  readonly deadlines?: Deadlines;
  /** Parcels leave at once by default. */
  readonly callbackDelayMs?: number;
  readonly streamLimits?: Partial<StreamLimits>;
  readonly concurrencyLimits?: Partial<typeof CONCURRENCY_LIMITS>;
  /** Of the shop's days; UTC by default. */
  readonly timeZone?: string;
  readonly poolSize?: number;
  /** 1: the production timeouts of the database. */
  readonly timeoutFactor?: number;
}

export interface RequestOptions {
  readonly role?: Role | null;
  readonly body?: unknown;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Shop extends Recorders {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly sandbox: Sandbox;
  readonly gateways: Gateways;
  readonly services: Services;
  /** The typed client of a storefront. */
  readonly api: Api;
  readonly logged: string[];
  readonly draining: { now: boolean };
  /** Any call, as text on the wire. */
  request(method: string, path: string, options?: RequestOptions): Promise<Response>;
  /** POST /v1/orders as a storefront. */
  place(changes?: object, key?: string): Promise<Response>;
  /** An order of the canary person that was answered with 201, as its workflow is given it. */
  order(line?: Line): Promise<CheckoutStart>;
  /** Adds a product with so many units. */
  stock(sku: string, units: number, product?: object): Promise<void>;
  close(): Promise<void>;
}

/** A shop for a whole test file. Each test begins without faults, and with recorders as new. */
export function useShop(options: ShopOptions = {}): Shop {
  const shop = useOpened(() => openShop(options));
  beforeEach(() => {
    shop.sandbox.faults.clear();
    resetRecorders(shop);
  });
  return shop;
}

/** A shop for one test, closed at its end. */
export async function openShopForTest(options: ShopOptions = {}): Promise<Shop> {
  const shop = await openShop(options);
  onTestFinished(shop.close);
  return shop;
}

export async function openShop(options: ShopOptions = {}): Promise<Shop> {
  const database = await createTestDatabase();
  const url = options.databaseUrl ?? database.url;
  const { poolSize = 20, timeoutFactor = TIMEOUT_FACTOR } = options;
  const db = createDatabase({ url, poolSize, timeoutFactor });
  const watchDb = createDatabase({ url, poolSize: 2, timeoutFactor });
  const sandbox = await createSandbox({
    warehouseCallbackSecret: CALLBACK_SECRET,
    callbackDelayMs: options.callbackDelayMs ?? 0,
    retryDelaysMs: [],
  });
  if (options.databaseUrl === undefined) await seed(db);
  const logged: string[] = [];
  const draining = { now: false };
  const recorders = createRecorders();
  const gateways = createGateways(sandbox, options.deadlines);
  const notifications = createNotifications({ url });
  const services = createServices({
    db,
    watchDb,
    ...gateways,
    payments: options.payments?.(gateways.payments) ?? gateways.payments,
    ...recorders,
    schedules: createScheduleClient({ client: () => null }),
    ...options.temporal,
    webhooks: createWebhookSender({ allowLocal: true, deadlineMs: 30_000 }),
    cipher: CIPHER,
    notifications,
    verifyCallback: createCallbackVerifier([CALLBACK_SECRET]),
    verifyPaymentWebhook: createPaymentWebhookVerifier([WEBHOOK_SECRET]),
    log: createLog('info', { write: (line) => void logged.push(line) }),
    defaultLanguage: 'en',
    temporalUi: { url: 'http://127.0.0.1:8233', namespace: 'default' },
    production: options.production ?? false,
    timeZone: options.timeZone ?? 'UTC',
    trustedProxies: options.trustedProxies,
    needsTemporal: false,
    isDraining: () => draining.now,
    sandboxUrl: null,
    console: true,
    streamLimits: options.streamLimits,
    concurrencyLimits: options.concurrencyLimits,
  });
  const app = withDocument(createApp(services));
  const api = apiOf(app);

  const send: Shop['request'] = async (method, path, options = {}) => {
    const { role = 'storefront', body, key, signal } = options;
    const isSent = typeof body === 'string' || body instanceof Uint8Array;
    const text = isSent ? body : JSON.stringify(body);
    return app.request(path, {
      method,
      headers: {
        ...(role && { authorization: `Bearer hf_local_${role}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
        ...options.headers,
      },
      ...(body !== undefined && { body: text }),
      ...(signal && { signal }),
    });
  };
  return {
    ...recorders,
    db,
    databaseUrl: url,
    sandbox,
    gateways,
    services,
    api,
    logged,
    draining,
    request: send,
    place: (changes = {}, key = crypto.randomUUID()) => placeOrder(api, changes, { key }),
    async order(line = {}) {
      const id = await placedOrder({ api }, canaryOrder(line), { headers: preferenceOf(line) });
      await services.starter.drain();
      const placed = await findOrder(db, id);
      if (placed === null) throw new Error(`no such order: ${id}`);
      return startOf(placed);
    },
    async stock(sku, units, product = {}) {
      const body = { name: sku, price_minor: 1_000, currency: 'EUR', ...product };
      await send('PUT', `/v1/products/${sku}`, { role: 'admin', body });
      if (units === 0) return;
      const change = {
        role: 'operator',
        key: sku,
        body: { delta: units, reason: 'test' },
      } as const;
      await send('POST', `/v1/products/${sku}/stock`, change);
    },
    async close() {
      await services.close();
      await notifications.close();
      gateways.mailer.close();
      await Promise.all([closeDatabase(db), closeDatabase(watchDb)]);
      await sandbox.close();
      await database.close();
    },
  };
}

/** How often each effect happened at the payment provider, for one order or for all. */
export function paymentEffects(
  { sandbox }: Pick<Shop, 'sandbox'>,
  orderId?: string,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const effect of sandbox.ledgers.payments.effects()) {
    if (orderId !== undefined && effect.order_id !== orderId) continue;
    counts[effect.operation] = (counts[effect.operation] ?? 0) + 1;
  }
  return counts;
}

/** The places that the refusal of an order names. Nothing was charged. */
export async function placesOfRefusal(
  shop: Pick<Shop, 'place' | 'sandbox'>,
  changes: object,
): Promise<readonly (string | undefined)[]> {
  const effects = paymentEffects(shop);
  const problem = await problemOf(await shop.place(changes));
  expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
  expect(paymentEffects(shop)).toEqual(effects);
  return problem.errors?.map((each) => each.pointer) ?? [];
}
