/**
 * The handlers' dependencies. External ones are arguments. The API's own state (caches, waiters,
 * background starts, metrics) is created here and released by `close`.
 */
import type { Logger } from 'pino';
import type { Language } from '../domain/language.ts';
import type { TemporalUi } from '../domain/pages.ts';
import type { Mailer } from '../gateways/mail/mailer.ts';
import type { PaymentGateway } from '../gateways/payments.ts';
import type { SmsSender } from '../gateways/sms/sms-sender.ts';
import type { WebhookVerifier } from '../gateways/stripe/webhook.ts';
import type { CallbackVerifier } from '../gateways/warehouse/callback.ts';
import type { WarehouseGateway } from '../gateways/warehouse/warehouse.ts';
import type { WebhookSender } from '../gateways/webhooks/sender.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import type { SecretCipher } from '../prisma/client/secret-cipher.ts';
import { createGuessLimits, type GuessLimits } from './customers/guessing.ts';
import { ConcurrencyLimiter } from './limits/concurrency-limit.ts';
import { createApiKeyCache, type ApiKeyCache } from '../services/api-key-cache.ts';
import { createProductCache, type ProductCache } from '../services/product-cache.ts';
import { createCheckoutStarter, type CheckoutStarter } from '../services/checkout-starter.ts';
import type { CheckoutClient } from '../temporal/checkout-client.ts';
import type { DeliveryClient } from '../temporal/delivery-client.ts';
import type { JobClient } from '../temporal/job-client.ts';
import type { RefundClient } from '../temporal/refund-client.ts';
import type { ScheduleClient } from '../temporal/schedule-client.ts';
import { createBackgroundStarts, type BackgroundStarts } from '../services/background-starts.ts';
import { createRedriver, type Redriver } from '../services/bulk-redrive.ts';
import { createSerialWork, type SerialWork } from '../services/serial-work.ts';
import { createLogTail, type LogTail } from './events/event-feed.ts';
import { registerEventMetrics } from './operations/event-metrics.ts';
import { CONCURRENCY_LIMITS, type RequestClass } from './limits/request-class.ts';
import { createEventStreams, type EventStreams, type StreamLimits } from './http/sse.ts';
import { createDownloads, type Downloads } from './jobs/downloads.ts';
import { createMetrics, type Metrics } from './operations/metrics.ts';
import { createTrends, type Trends } from './operations/trends.ts';
import { createOrderWaiters, type OrderWaiters } from '../services/order-waiters.ts';
import type { OrderResponses } from '../services/end-unpaid.ts';
import { ORDER_RESPONSES } from './orders/responses.ts';
import type { InboxMessage } from '../prisma/events/inbox.ts';
import type { ReconciliationClient } from '../temporal/reconciliation-client.ts';

export interface ApiDeps {
  readonly db: Database;
  /** A separate pool for metrics and invariants, so that they do not delay shoppers. */
  readonly watchDb: Database;
  readonly payments: PaymentGateway;
  readonly warehouse: WarehouseGateway;
  readonly mailer: Mailer;
  /** Null: no SMS provider is configured. */
  readonly sms: SmsSender | null;
  readonly checkouts: CheckoutClient;
  readonly deliveries: DeliveryClient;
  readonly reconciliationClient: ReconciliationClient;
  readonly refunds: RefundClient;
  readonly jobs: JobClient;
  readonly schedules: ScheduleClient;
  readonly webhooks: WebhookSender;
  /** Encrypts the secrets of webhook endpoints. */
  readonly cipher: SecretCipher;
  readonly notifications: Notifications;
  readonly verifyCallback: CallbackVerifier;
  readonly verifyPaymentWebhook: WebhookVerifier;
  readonly log: Logger;
  /** Of messages to a customer who has said none. */
  readonly defaultLanguage: Language;
  /** Null: its address is not configured. */
  readonly temporalUi: TemporalUi | null;
  /** The sandbox of `npm start`, for links; null where there is none. */
  readonly sandboxUrl: string | null;
  /** Refuses the API keys of the local stack. */
  readonly production: boolean;
  /** Of the shop's days, IANA. */
  readonly timeZone: string;
  /** Proxies in front whose X-Forwarded-For is believed; default none. */
  readonly trustedProxies?: number | undefined;
  /** How long a shopper can confirm a payment; default 15 minutes. */
  readonly paymentActionMinutes?: number | undefined;
  /** A worker is unavailable without Temporal; an API still accepts orders. */
  readonly needsTemporal: boolean;
  /** True after a stop signal: no new work should be sent here. */
  readonly isDraining: () => boolean;
  /** True: another API key must approve a bulk action; default false. */
  readonly bulkApproval?: boolean | undefined;
  /** False: no console is served. */
  readonly console: boolean;
  /** Overrides the limits of event streams. */
  readonly streamLimits?: Partial<StreamLimits> | undefined;
  /** Overrides some of `CONCURRENCY_LIMITS`. */
  readonly concurrencyLimits?: Partial<typeof CONCURRENCY_LIMITS> | undefined;
}

export interface Services extends ApiDeps {
  readonly paymentActionMinutes: number;
  /** Stored by what settles an order. */
  readonly responses: OrderResponses;
  readonly apiKeys: ApiKeyCache;
  readonly limiters: Limiters;
  readonly guessLimits: GuessLimits;
  readonly productCache: ProductCache;
  readonly waiters: OrderWaiters;
  readonly starter: CheckoutStarter;
  /** Starts of refunds, reconciliations and jobs. */
  readonly starts: BackgroundStarts;
  readonly metrics: Metrics;
  /** Of this process, for the charts of the console. */
  readonly trends: Trends;
  /** Logs and counts a genuine message that is not understood. */
  readonly onNotUnderstood: (message: InboxMessage) => void;
  readonly redriver: Redriver;
  readonly serially: SerialWork;
  readonly logTail: LogTail;
  /** Separate limits, so that customers' streams cannot exhaust those of operators. */
  readonly feedStreams: EventStreams;
  readonly timelineStreams: EventStreams;
  readonly jobStreams: EventStreams;
  readonly downloads: Downloads;
  /** Rejects queued orders, ends waits and streams, and finishes pending starts. */
  close(): Promise<void>;
}

const DEFAULT_ACTION_MINUTES = 15;

export type Limiters = Readonly<Record<RequestClass, ConcurrencyLimiter>>;

export function createServices(deps: ApiDeps): Services {
  const { db, notifications, checkouts, log, production } = deps;
  const productCache = createProductCache({ db, notifications });
  const waiters = createOrderWaiters({ db, notifications });
  const starter = createCheckoutStarter({ db, checkouts, log });
  const starts = createBackgroundStarts({ log });
  const redriver = createRedriver(deps);
  const streams = createStreams(deps);
  const limiters = createLimiters({ ...CONCURRENCY_LIMITS, ...deps.concurrencyLimits });
  const metrics = createMetrics({
    breakers: () => [
      ...deps.payments.breakers(),
      ...deps.warehouse.breakers(),
      ...deps.mailer.breakers(),
      ...(deps.sms?.breakers() ?? []),
    ],
    limiters,
  });
  const { feedStreams: feed, timelineStreams: timeline } = streams;
  registerEventMetrics(metrics.registry, { db: deps.watchDb, streams: { feed, timeline } });
  const trends = createTrends(metrics.registry);
  if (deps.console) trends.start();
  return {
    ...deps,
    paymentActionMinutes: deps.paymentActionMinutes ?? DEFAULT_ACTION_MINUTES,
    responses: ORDER_RESPONSES,
    limiters,
    guessLimits: createGuessLimits(),
    apiKeys: createApiKeyCache({ db, refuseLocal: production }),
    productCache,
    waiters,
    starter,
    starts,
    redriver,
    serially: createSerialWork(),
    logTail: createLogTail(db),
    ...streams,
    downloads: createDownloads(db),
    metrics,
    trends,
    onNotUnderstood({ source, id, type, orderId }) {
      metrics.countNotUnderstood(source);
      const about = { source, webhook_id: id, type, order_id: orderId };
      log.warn(
        about,
        'a genuine message of a provider is not understood; the inbox keeps it whole',
      );
    },
    async close() {
      // Long polls end now and need a permit of their class for their response: only this one closes.
      limiters.checkout.close();
      trends.close();
      waiters.close();
      for (const each of Object.values(streams)) each.close();
      productCache.close();
      await Promise.all([starter.drain(), starts.drain(), redriver.drain()]);
    },
  };
}

function createStreams({ notifications, log, streamLimits: limits }: ApiDeps) {
  const create = (): EventStreams => createEventStreams({ notifications, log, limits });
  return { feedStreams: create(), timelineStreams: create(), jobStreams: create() };
}

function createLimiters(limits: typeof CONCURRENCY_LIMITS): Limiters {
  return {
    checkout: new ConcurrencyLimiter(limits.checkout),
    quote: new ConcurrencyLimiter(limits.quote),
    catalog: new ConcurrencyLimiter(limits.catalog),
    other: new ConcurrencyLimiter(limits.other),
    slow: new ConcurrencyLimiter(limits.slow),
    console: new ConcurrencyLimiter(limits.console),
  };
}
