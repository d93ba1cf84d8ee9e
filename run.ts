/** The composition root: builds everything from the configuration and runs until a stop signal. */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Runtime } from '@temporalio/worker';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { Logger } from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import { REQUEST_DEADLINE_MS } from './api/middleware/load-shedding.ts';
import { registerConnections } from './api/operations/metrics.ts';
import { startRecovery } from './services/recovery.ts';
import { createServices, type Services } from './api/context.ts';
import { createJobWork } from './api/jobs/job-work.ts';
import { createCheckoutClient } from './temporal/checkout-client.ts';
import { createDeliveryClient } from './temporal/delivery-client.ts';
import { createJobClient } from './temporal/job-client.ts';
import { createRefundClient } from './temporal/refund-client.ts';
import { createScheduleClient } from './temporal/schedule-client.ts';
import { createReconciliationClient } from './temporal/reconciliation-client.ts';
import {
  apiSettingsOf,
  ConfigError,
  readAppConfig,
  limitSettingsOf,
  smsSettingsOf,
  publicUrlOf,
  shopProfileOf,
  temporalUiOf,
  readTemporalConfig,
  retentionOf,
  type AppConfig,
  fraudHoldMsOf,
} from './config.ts';
import type { Mailer } from './gateways/mail/mailer.ts';
import type { PaymentGateway } from './gateways/payments.ts';
import type { SmsSender } from './gateways/sms/sms-sender.ts';
import type { WarehouseGateway } from './gateways/warehouse/warehouse.ts';
import type { WebhookSender } from './gateways/webhooks/sender.ts';
import type { CommitWatcher } from './prisma/client/commit-hook.ts';
import { createHttpWarehouse } from './gateways/warehouse/http-warehouse.ts';
import { createLimits } from './gateways/resilience/limits.ts';
import { createPaymentWebhookVerifier } from './gateways/stripe/webhook.ts';
import { createSmtpMailer } from './gateways/mail/smtp-mailer.ts';
import { createTwilioSms } from './gateways/sms/twilio.ts';
import { createStripePayments } from './gateways/stripe/payments.ts';
import { createCallbackVerifier } from './gateways/warehouse/callback.ts';
import { createWebhookSender } from './gateways/webhooks/sender.ts';
import { createLog, createTemporalRuntime } from './telemetry/logging.ts';
import { startSpans } from './telemetry/otlp.ts';
import { closeDatabase } from './prisma/client/client.ts';
import { createNotifications } from './prisma/client/listen.ts';
import { openPools } from './prisma/client/pools.ts';
import { createSecretCipher } from './prisma/client/secret-cipher.ts';
import { serve } from './api/serve.ts';
import { ListenError } from './api/server.ts';
import { connectTemporal } from './temporal/connection.ts';
import { startWorkers } from './worker/task-queues.ts';

/** The last admitted request has its full deadline, and then finishes the step in progress. */
const FINISH_REQUESTS_WITHIN_MS = REQUEST_DEADLINE_MS + 3_000;
/** Bounds the shutdown, because supervisors kill a process after their own timeout, usually 30 s. */
export const STOP_WITHIN_MS = FINISH_REQUESTS_WITHIN_MS + 6_000;
/** Wrappers that a test program puts around the outbound dependencies. */
export interface Seams {
  payments<T extends PaymentGateway>(gateway: T): T;
  warehouse<T extends WarehouseGateway>(gateway: T): T;
  mailer<T extends Mailer>(mailer: T): T;
  sms<T extends SmsSender>(sender: T): T;
  webhooks<T extends WebhookSender>(sender: T): T;
  readonly temporal: readonly WorkflowClientInterceptor[];
  readonly onCommit: CommitWatcher | undefined;
}

const UNCHANGED: Seams = {
  payments: (gateway) => gateway,
  warehouse: (gateway) => gateway,
  mailer: (mailer) => mailer,
  sms: (sender) => sender,
  webhooks: (sender) => sender,
  temporal: [],
  onCommit: undefined,
};

/** Runs the app. An invalid configuration prints one message and exits with code 1. */
export async function runProgram(
  seamsOf: (config: AppConfig) => Seams = () => UNCHANGED,
): Promise<void> {
  try {
    const config = readAppConfig();
    await run(config, seamsOf(config));
    // An unanswered attempt to connect to Temporal cannot be aborted: it would keep the process.
    process.exit(0);
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof ListenError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

async function run(config: AppConfig, seams: Seams): Promise<void> {
  const log = createLog(config.LOG_LEVEL);
  Runtime.install(createTemporalRuntime(log));
  const stopped = stopSignal();
  const spans = await startSpans(config, log);
  const draining = { now: false };
  const dependencies = connectDependencies(config, log, seams);
  const { db, backgroundDb, eventsDb, link, close, ...shared } = dependencies;
  const temporal = { client: link.client, publicUrl: publicUrlOf(config) };
  const checkouts = createCheckoutClient({ ...temporal, eagerStart: config.ROLE === 'all' });
  const services = createServices({
    ...shared,
    db,
    watchDb: eventsDb,
    checkouts,
    deliveries: createDeliveryClient(temporal),
    reconciliationClient: createReconciliationClient(temporal),
    refunds: createRefundClient(temporal),
    jobs: createJobClient(temporal),
    schedules: createScheduleClient(temporal),
    log,
    verifyCallback: createCallbackVerifier(config.WAREHOUSE_CALLBACK_SECRET),
    verifyPaymentWebhook: createPaymentWebhookVerifier(config.STRIPE_WEBHOOK_SECRET),
    temporalUi: temporalUiOf(config, link.namespace),
    isDraining: () => draining.now,
    ...apiSettingsOf(config),
  });
  const { registry } = services.metrics;
  collectDefaultMetrics({ register: registry });
  registerConnections(registry, { requests: db, background: backgroundDb, events: eventsDb });
  const server = await serve(services, config);
  const recovery =
    config.ROLE === 'worker' ? null : startRecovery({ ...services, db: backgroundDb });
  const workers = config.ROLE === 'api' ? null : startOwnWorkers(config, dependencies, services);
  warnOfUnsafe(config, log);
  log.info({ role: config.ROLE, host: config.HOST, port: config.PORT }, 'listening');

  const signal = await stopped;
  log.info({ signal }, 'stopping');
  const shutdownTimer = setTimeout(() => {
    log.error('shutdown timed out');
    process.exit(1);
  }, STOP_WITHIN_MS + config.STOP_DELAY_MS);
  draining.now = true;
  const stopServing = async (): Promise<void> => {
    // Load balancers must see /readyz fail before connections are refused.
    await delay(config.STOP_DELAY_MS);
    await Promise.all([server.close(FINISH_REQUESTS_WITHIN_MS), services.close()]);
    // The last requests may have placed more orders.
    await Promise.all([services.starter.drain(), services.starts.drain()]);
  };
  await Promise.all([stopServing(), recovery?.stop(), workers?.stop()]);
  await Promise.all([close(), spans.stop()]);
  clearTimeout(shutdownTimer);
  log.info('stopped');
}

type Dependencies = ReturnType<typeof connectDependencies>;

/** The outbound dependencies. Only Temporal is connected before first use. */
function connectDependencies(config: AppConfig, log: Logger, seams: Seams) {
  const onBreakerChange = ({ name, ...view }: { readonly name: string }): void =>
    log.warn({ breaker: name, ...view }, 'calls to a provider changed');
  const databases = openPools({
    url: config.DATABASE_URL,
    role: config.ROLE,
    connections: config.DATABASE_POOL,
    onCommit: seams.onCommit,
  });
  const notifications = createNotifications({
    url: config.DATABASE_URL,
    onLost: (error) => log.warn({ err: error }, 'lost the PostgreSQL notifications, reconnecting'),
  });
  const limits = createLimits(limitSettingsOf(config));
  const payments = seams.payments(
    createStripePayments({
      limits: limits.payments,
      apiUrl: config.STRIPE_API_URL,
      apiKey: config.STRIPE_API_KEY,
      extendedAuthorization: config.STRIPE_EXTENDED_AUTHORIZATION,
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
  const twilio = smsSettingsOf(config);
  const sms =
    twilio && seams.sms(createTwilioSms({ ...twilio, limits: limits.sms, onBreakerChange }));
  // Plain HTTP and loopback receivers are allowed only in development.
  const allowLocal = config.NODE_ENV !== 'production';
  const webhooks = seams.webhooks(createWebhookSender({ allowLocal }));
  const cipher = createSecretCipher(config.ENCRYPTION_KEYS);
  const settings = readTemporalConfig();
  const link = connectTemporal({ settings, log, interceptors: seams.temporal });
  const close = async (): Promise<void> => {
    mailer.close();
    await Promise.all([link.close(), notifications.close()]);
    await Promise.all(Object.values(databases).map(closeDatabase));
  };
  const providers = { payments, warehouse, mailer, sms, webhooks };
  return { ...databases, ...providers, notifications, cipher, link, close };
}

function startOwnWorkers(config: AppConfig, dependencies: Dependencies, services: Services) {
  const publicUrl = publicUrlOf(config);
  return startWorkers({
    ...dependencies,
    db: dependencies.backgroundDb,
    publicUrl,
    shop: shopProfileOf(config),
    warehouseCallbackUrl: new URL('/callbacks/warehouse', publicUrl).href,
    fraudHoldMs: fraudHoldMsOf(config),
    workflowBundle: config.WORKFLOW_BUNDLE,
    retention: retentionOf(config),
    responses: services.responses,
    notifyExpired: config.NOTIFY_EXPIRED,
    jobWork: createJobWork({ ...services, db: dependencies.backgroundDb }),
    log: services.log,
  });
}

/** What a person should know before it is exploited. */
function warnOfUnsafe({ NODE_ENV, ALLOW_UNSAFE = [], HOST }: AppConfig, log: Logger): void {
  if (ALLOW_UNSAFE.length > 0) log.warn({ variables: ALLOW_UNSAFE }, 'ALLOW_UNSAFE: not checked');
  if (NODE_ENV !== 'production' && !/^(?:127\.|::1$|localhost$)/.test(HOST)) {
    log.warn({ host: HOST }, 'not for the public: NODE_ENV is not production');
  }
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
}
