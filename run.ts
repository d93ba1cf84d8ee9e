/** The composition root: builds everything once from the configuration, runs until a stop signal. */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Runtime } from '@temporalio/worker';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { Logger } from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import { REQUEST_DEADLINE_MS } from './api/middleware/load-shedding.ts';
import { createApp, createHealthApp } from './api/app.ts';
import { registerConnections } from './api/operations/metrics.ts';
import { startRecovery } from './services/recovery.ts';
import { createServices } from './api/context.ts';
import { createCheckoutClient } from './temporal/checkout-client.ts';
import { createDeliveryClient } from './temporal/delivery-client.ts';
import { createRefundClient } from './temporal/refund-client.ts';
import { createReconciliationClient } from './temporal/reconciliation-client.ts';
import { ConfigError, readAppConfig, type AppConfig } from './config.ts';
import type { Mailer } from './gateways/mail/mailer.ts';
import type { PaymentGateway } from './gateways/payments.ts';
import type { WarehouseGateway } from './gateways/warehouse/warehouse.ts';
import type { WebhookSender } from './gateways/webhooks/sender.ts';
import type { CommitWatcher } from './prisma/client/commit-hook.ts';
import { createHttpWarehouse } from './gateways/warehouse/http-warehouse.ts';
import { createLimits } from './gateways/resilience/limits.ts';
import { createPaymentWebhookVerifier } from './gateways/stripe/webhook.ts';
import { createSmtpMailer } from './gateways/mail/smtp-mailer.ts';
import { createStripePayments } from './gateways/stripe/payments.ts';
import { createCallbackVerifier } from './gateways/warehouse/callback.ts';
import { createWebhookSender } from './gateways/webhooks/sender.ts';
import { createLog, createTemporalRuntime } from './telemetry/logging.ts';
import { createDatabase } from './prisma/client/client.ts';
import { createNotifications } from './prisma/client/listen.ts';
import { listen, ListenError } from './api/server.ts';
import { connectTemporal } from './temporal/connection.ts';
import { startWorkers } from './worker/task-queues.ts';

/** Who was let in last has its budget, then finishes the step it has begun. */
const FINISH_REQUESTS_WITHIN_MS = REQUEST_DEADLINE_MS + 3_000;
/** The whole stop is bounded: whatever supervises us has a deadline of its own, as a rule 30 s. */
const STOP_WITHIN_MS = FINISH_REQUESTS_WITHIN_MS + 6_000;
/** What a shopper does not wait for has connections of its own, and takes none of the shopper's. */
const BACKGROUND_SHARE = { all: 0.4, api: 0.15, worker: 0.9 } as const;
/**
 * Of those, for events: a crowd of checkouts in line must not keep subscribers waiting. Who looks on
 * (metrics, invariants) uses them too, in an API alone: two of twenty, so neither keeps the other out.
 */
const EVENTS_SHARE = { all: 0.4, api: 0.6, worker: 0.4 } as const;

/** What a program for tests puts around the parts that talk to others. */
export interface Seams {
  payments<T extends PaymentGateway>(gateway: T): T;
  warehouse<T extends WarehouseGateway>(gateway: T): T;
  mailer<T extends Mailer>(mailer: T): T;
  webhooks<T extends WebhookSender>(sender: T): T;
  readonly temporal: readonly WorkflowClientInterceptor[];
  readonly onCommit: CommitWatcher | undefined;
}

const UNCHANGED: Seams = {
  payments: (gateway) => gateway,
  warehouse: (gateway) => gateway,
  mailer: (mailer) => mailer,
  webhooks: (sender) => sender,
  temporal: [],
  onCommit: undefined,
};

/** Runs the app. A configuration that cannot work is one message and exit code 1. */
export async function runProgram(
  seamsOf: (config: AppConfig) => Seams = () => UNCHANGED,
): Promise<void> {
  try {
    const config = readAppConfig();
    await run(config, seamsOf(config));
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof ListenError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

async function run(config: AppConfig, seams: Seams): Promise<void> {
  const log = createLog(config.LOG_LEVEL);
  Runtime.install(createTemporalRuntime(log));
  const stopped = untilSignal();
  const draining = { now: false };
  const outside = connectOutside(config, log, seams);
  const { db, backgroundDb, eventsDb, notifications, mailer, payments, warehouse, webhooks, link } =
    outside;
  const checkouts = createCheckoutClient({
    client: link.client,
    eagerStart: config.ROLE === 'all',
  });
  const services = createServices({
    db,
    watchDb: eventsDb,
    payments,
    warehouse,
    mailer,
    checkouts,
    deliveries: createDeliveryClient({ client: link.client }),
    reconciliationClient: createReconciliationClient({ client: link.client }),
    refunds: createRefundClient({ client: link.client }),
    webhooks,
    notifications,
    log,
    verifyCallback: createCallbackVerifier(config.WAREHOUSE_CALLBACK_SECRET),
    verifyPaymentWebhook: createPaymentWebhookVerifier(config.STRIPE_WEBHOOK_SECRET),
    production: config.NODE_ENV === 'production',
    needsTemporal: config.ROLE === 'worker',
    isDraining: () => draining.now,
  });
  const { registry } = services.metrics;
  collectDefaultMetrics({ register: registry });
  registerConnections(registry, { requests: db, background: backgroundDb, events: eventsDb });
  const app = config.ROLE === 'worker' ? createHealthApp(services) : createApp(services);
  const server = await listen({ fetch: app.fetch, host: config.HOST, port: config.PORT });
  const recovery =
    config.ROLE === 'worker' ? null : startRecovery({ ...services, db: backgroundDb });
  const workers = config.ROLE === 'api' ? null : startOwnWorkers(config, outside, log);
  log.info({ role: config.ROLE, host: config.HOST, port: config.PORT }, 'listening');

  const signal = await stopped;
  log.info({ signal }, 'stopping');
  const overdue = setTimeout(() => {
    log.error('not stopped in time: giving up');
    process.exit(1);
  }, STOP_WITHIN_MS + config.STOP_DELAY_MS);
  draining.now = true;
  const stopServing = async (): Promise<void> => {
    // Whoever sends requests here must see /readyz refuse before connections are refused.
    await delay(config.STOP_DELAY_MS);
    await Promise.all([server.close(FINISH_REQUESTS_WITHIN_MS), services.close()]);
    // The last requests may have placed orders since.
    await Promise.all([services.starter.drain(), services.starts.drain()]);
  };
  await Promise.all([stopServing(), recovery?.stop(), workers?.stop()]);
  await outside.close();
  clearTimeout(overdue);
  log.info('stopped');
}

type Outside = ReturnType<typeof connectOutside>;

/** Everything this process talks to. Nothing is connected before it is used, but Temporal. */
function connectOutside(config: AppConfig, log: Logger, seams: Seams) {
  const onBreakerChange = (view: { readonly name: string; readonly state: string }): void =>
    log.warn({ breaker: view.name, state: view.state }, 'circuit breaker changed');
  const databases = openDatabases(config, seams.onCommit);
  const notifications = createNotifications({
    url: config.DATABASE_URL,
    onLost: (error) => log.warn({ err: error }, 'not listening to PostgreSQL: reconnecting'),
  });
  const limits = createLimits(config.BREAKER_PROBE_AFTER_MS);
  const payments = seams.payments(
    createStripePayments({
      limits: limits.payments,
      apiUrl: config.STRIPE_API_URL,
      apiKey: config.STRIPE_API_KEY,
      onBreakerChange,
    }),
  );
  const warehouse = seams.warehouse(
    createHttpWarehouse({
      limits: limits.warehouse,
      baseUrl: config.WAREHOUSE_URL,
      apiKey: config.WAREHOUSE_API_KEY,
      onBreakerChange,
    }),
  );
  const mailer = seams.mailer(
    createSmtpMailer({
      limits: limits.mail,
      smtpUrl: config.SMTP_URL,
      from: config.MAIL_FROM,
      onBreakerChange,
    }),
  );
  // Plain HTTP and loopback receivers are for development: never in production.
  const webhooks = seams.webhooks(
    createWebhookSender({ allowLocal: config.NODE_ENV !== 'production' }),
  );
  const link = connectTemporal(log, seams.temporal);
  const close = async (): Promise<void> => {
    mailer.close();
    await Promise.all([link.close(), notifications.close()]);
    await Promise.all(Object.values(databases).map((each) => each.$disconnect()));
  };
  return {
    ...databases,
    notifications,
    payments,
    warehouse,
    mailer,
    webhooks,
    link,
    close,
  };
}

/** One pool each for requests, activities and events: none stands in another's line. */
function openDatabases(config: AppConfig, onCommit: Seams['onCommit']) {
  const open = (poolSize: number) =>
    createDatabase({ url: config.DATABASE_URL, poolSize, onCommit });
  const { requests, background, events } = shareOut(config);
  return { db: open(requests), backgroundDb: open(background), eventsDb: open(events) };
}

function shareOut({ ROLE, DATABASE_POOL }: AppConfig) {
  const part = (of: number, share: number, least: number): number =>
    Math.min(Math.max(Math.round(of * share), least), of - 1);
  const behind = part(DATABASE_POOL, BACKGROUND_SHARE[ROLE], 2);
  const events = part(behind, EVENTS_SHARE[ROLE], 1);
  return { requests: DATABASE_POOL - behind, background: behind - events, events };
}

function startOwnWorkers(config: AppConfig, outside: Outside, log: Logger) {
  const publicUrl = config.PUBLIC_URL ?? `http://${config.HOST}:${config.PORT}`;
  return startWorkers({
    ...outside,
    db: outside.backgroundDb,
    eventsDb: outside.eventsDb,
    warehouseCallbackUrl: new URL('/callbacks/warehouse', publicUrl).href,
    workflowBundle: config.WORKFLOW_BUNDLE,
    log,
  });
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
}
