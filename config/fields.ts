/** Every variable of the environment: its form and its default. */
import { z } from 'zod';
import {
  accountSid,
  BASE64_SECRET,
  databaseUrl,
  days,
  encryptionKeys,
  line,
  orderUrl,
  port,
  required,
  SECRET_FORM,
  secrets,
  sender,
  serverUrl,
  share,
  smsSender,
  timeZone,
  webUrl,
  wholeNumber,
} from './forms.ts';
import { MAY_BE_UNSAFE } from './production.ts';
import { listOf } from './values.ts';
import { LANGUAGES } from '../domain/language.ts';
import { DEFAULT_RETENTION } from '../domain/retention.ts';

/** Of API and worker. */
export const appFields = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  ALLOW_UNSAFE: z
    .string()
    .transform(listOf)
    .refine((names) => names.every((name) => MAY_BE_UNSAFE.includes(name)), {
      error: `must name some of ${MAY_BE_UNSAFE.join(', ')}`,
    })
    .optional(),
  ROLE: z.enum(['api', 'worker', 'all']).default('all'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  OPERATIONS_HOST: z.string().default('127.0.0.1'),
  OPERATIONS_PORT: port.optional(),
  TRUSTED_PROXIES: wholeNumber(0, 10).default(0),
  STOP_DELAY_MS: wholeNumber(0, 60_000).default(250),
  PUBLIC_URL: serverUrl('the address of the API, e.g. https://checkout.shop.example').optional(),
  TEMPORAL_UI_URL: webUrl("Temporal's Web UI, e.g. https://temporal.shop.example").optional(),
  SANDBOX_URL: webUrl('the sandbox of npm start, e.g. http://127.0.0.1:4000').optional(),
  CONSOLE: z.enum(['on', 'off']).default('on'),
  BULK_APPROVAL: z.enum(['off', 'required']).default('off'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  DATABASE_URL: databaseUrl,
  DATABASE_POOL: wholeNumber(3, 200).default(20),
  ENCRYPTION_KEYS: encryptionKeys,
  WORKFLOW_BUNDLE: z.string().optional(),
  STRIPE_API_URL: serverUrl('e.g. https://api.stripe.com').default('https://api.stripe.com'),
  STRIPE_API_KEY: z.string(required("Stripe's secret key, sk_live_... or sk_test_...")),
  STRIPE_WEBHOOK_SECRET: secrets(
    "the signing secret of Stripe's webhook endpoint for /callbacks/payments, whsec_...",
    /^whsec_\S+$/,
  ),
  STRIPE_EXTENDED_AUTHORIZATION: z.enum(['never', 'if_available']).default('never'),
  WAREHOUSE_URL: webUrl("the address of the warehouse's API, e.g. https://wms.shop.example"),
  WAREHOUSE_API_KEY: z.string(required("the API key of the warehouse's API")),
  WAREHOUSE_CALLBACK_SECRET: secrets(SECRET_FORM, BASE64_SECRET),
  SMTP_URL: z.url({
    protocol: /^smtps?$/,
    hostname: /./,
    ...required('the mail server, e.g. smtps://user:password@host'),
  }),
  TWILIO_API_URL: webUrl('e.g. https://api.twilio.com').default('https://api.twilio.com'),
  TWILIO_ACCOUNT_SID: accountSid.optional(),
  TWILIO_AUTH_TOKEN: z.string().optional(),
  TWILIO_FROM: smsSender.optional(),
  FRAUD_HOLD: z.enum(['hold', 'ignore']).default('hold'),
  FRAUD_HOLD_HOURS: wholeNumber(0, 720).default(24),
  PAYMENT_ACTION_MINUTES: wholeNumber(1, 1_440).default(15),
  AUTHORIZE_DEADLINE_MS: wholeNumber(500, 10_000).default(2_000),
  BREAKER_WINDOW_MS: wholeNumber(1_000, 3_600_000).default(30_000),
  BREAKER_MIN_CALLS: wholeNumber(1, 100_000).default(10),
  BREAKER_FAILURE_PERCENT: wholeNumber(1, 99).default(50),
  BREAKER_PROBE_AFTER_MS: wholeNumber(100, 3_600_000).default(60_000),
  NOTIFY_EXPIRED: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
  SHOP_TIME_ZONE: timeZone.default('UTC'),
  MAIL_FROM: sender.default('Holdfast <orders@holdfast.example>'),
  DEFAULT_LANGUAGE: z.enum(LANGUAGES).default('en'),
  SHOP_NAME: line(100).optional(),
  SHOP_ORDER_URL: orderUrl.optional(),
  RETAIN_KEYS_DAYS: days.default(DEFAULT_RETENTION.keys),
  RETAIN_EVENTS_DAYS: days.default(DEFAULT_RETENTION.events),
  RETAIN_MESSAGES_DAYS: days.default(DEFAULT_RETENTION.messages),
  RETAIN_FAILURES_DAYS: days.default(DEFAULT_RETENTION.failures),
  RETAIN_JOBS_DAYS: days.default(DEFAULT_RETENTION.jobs),
  RETAIN_PERSONAL_DATA_DAYS: days.optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl('e.g. http://collector:4318').optional(),
  // Read by the exporter itself.
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
  OTEL_SERVICE_NAME: z.string().default('holdfast'),
  OTEL_TRACES_SAMPLER_ARG: share.default(1),
});

/** Of the local stack. */
export const stackSchema = z.object({
  HOLDFAST_HOME: z.string().default('.holdfast'),
  LOG_LEVEL: z.string().optional(),
  PORT: port.optional(),
  TEMPORAL_PORT: port.optional(),
  TEMPORAL_UI_PORT: port.optional(),
  POSTGRES_PORT: port.optional(),
  SANDBOX_PORT: port.optional(),
  SMTP_PORT: port.optional(),
  DATABASE_URL: databaseUrl.optional(),
  TEMPORAL_ADDRESS: z.string().optional(),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  XDG_CACHE_HOME: z.string().optional(),
});
