/**
 * The only reader of the environment. Values are parsed once at startup, which fails with a list of
 * all invalid variables. A test compares `.env.example` with the keys below.
 */
import { existsSync } from 'node:fs';
import process from 'node:process';
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
  share,
  smsSender,
  timeZone,
  webUrl,
  wholeNumber,
} from './config/forms.ts';
import { MAY_BE_UNSAFE, productionProblems } from './config/production.ts';
import { smsProblems } from './config/sms.ts';
import { readTemporalSettings, type TemporalSettings } from './config/temporal.ts';
import { listOf, type ConfigProblem, type Values } from './config/values.ts';
import { LANGUAGES } from './domain/language.ts';
import { DEFAULT_RETENTION, type Retention } from './domain/retention.ts';

const appFields = z.object({
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
  PUBLIC_URL: webUrl('the address of the API, e.g. https://checkout.shop.example').optional(),
  TEMPORAL_UI_URL: webUrl("Temporal's Web UI, e.g. https://temporal.shop.example").optional(),
  SANDBOX_URL: webUrl('the sandbox of npm start, e.g. http://127.0.0.1:4000').optional(),
  CONSOLE: z.enum(['on', 'off']).default('on'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  DATABASE_URL: databaseUrl,
  DATABASE_POOL: wholeNumber(3, 200).default(20),
  ENCRYPTION_KEYS: encryptionKeys,
  WORKFLOW_BUNDLE: z.string().optional(),
  STRIPE_API_URL: webUrl('e.g. https://api.stripe.com').default('https://api.stripe.com'),
  STRIPE_API_KEY: z.string(required("Stripe's secret key, sk_live_... or sk_test_...")),
  STRIPE_WEBHOOK_SECRET: secrets(
    "the signing secret of Stripe's webhook endpoint for /callbacks/payments, whsec_...",
    /^whsec_\S+$/,
  ),
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
  AUTHORIZE_DEADLINE_MS: wholeNumber(500, 10_000).default(2_000),
  BREAKER_WINDOW_MS: wholeNumber(1_000, 3_600_000).default(30_000),
  BREAKER_MIN_CALLS: wholeNumber(1, 100_000).default(10),
  BREAKER_FAILURE_PERCENT: wholeNumber(1, 99).default(50),
  BREAKER_PROBE_AFTER_MS: wholeNumber(100, 3_600_000).default(60_000),
  SHOP_TIME_ZONE: timeZone.default('UTC'),
  MAIL_FROM: sender.default('Holdfast <orders@holdfast.example>'),
  DEFAULT_LANGUAGE: z.enum(LANGUAGES).default('en'),
  SHOP_NAME: line(100).default('Holdfast'),
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

const stackSchema = z.object({
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

export type AppConfig = z.infer<typeof appFields>;
export type StackConfig = z.infer<typeof stackSchema>;
export type Environment = Values;

/** The environment's keys, for the test that compares them with `.env.example`. */
export const CONFIG_KEYS: readonly string[] = [
  ...new Set([...Object.keys(appFields.shape), ...Object.keys(stackSchema.shape)]),
];

/** An invalid configuration. The message lists every invalid variable. */
export class ConfigError extends Error {}

/** Reads the variables of API and worker, by stricter rules in production. Throws ConfigError. */
export function readAppConfig(env: Environment = environment()): AppConfig {
  return parse(appFields, env, (values) => {
    const temporal = readTemporalSettings(values);
    const problems = 'problem' in temporal ? [temporal] : [];
    return [...problems, ...smsProblems(values), ...productionProblems(values)];
  });
}

/** Reads how to connect to Temporal. Throws ConfigError. */
export function readTemporalConfig(env: Environment = environment()): TemporalSettings {
  const settings = readTemporalSettings(trimmed(env));
  if ('problem' in settings) throw configError([settings]);
  return settings;
}

/** Reads the variables of the local stack. Throws ConfigError. */
export function readStackConfig(env: Environment = environment()): StackConfig {
  return parse(stackSchema, env);
}

/** Reads the variables of a command that uses only the database. Throws ConfigError. */
export function readDatabaseConfig(env: Environment = environment()): { DATABASE_URL: string } {
  return parse(appFields.pick({ DATABASE_URL: true }), env);
}

/** The address under which the API is reached. */
export function publicUrlOf({ PUBLIC_URL, HOST, PORT }: AppConfig): string {
  return PUBLIC_URL ?? `http://${HOST}:${PORT}`;
}

/** Temporal's Web UI; null when its address is not configured. */
export function temporalUiOf({ TEMPORAL_UI_URL: url }: AppConfig, namespace: string) {
  return url === undefined ? null : { url, namespace };
}

/** The sandbox that the start page links; null in production, which has none. */
export function sandboxUrlOf({ SANDBOX_URL, NODE_ENV }: AppConfig): string | null {
  return NODE_ENV === 'production' ? null : (SANDBOX_URL ?? null);
}

/** What messages to customers say of the shop. */
export function shopProfileOf({ SHOP_NAME, SHOP_ORDER_URL, SHOP_TIME_ZONE }: AppConfig) {
  return { name: SHOP_NAME, orderUrl: SHOP_ORDER_URL ?? null, timeZone: SHOP_TIME_ZONE };
}

/** The SMS provider; null: none is configured, and nobody is notified by SMS. */
export function smsSettingsOf(app: AppConfig) {
  const { TWILIO_API_URL: apiUrl, TWILIO_ACCOUNT_SID: accountSid, TWILIO_FROM: from } = app;
  const { TWILIO_AUTH_TOKEN: authToken } = app;
  if (accountSid === undefined || authToken === undefined || from === undefined) return null;
  return { apiUrl, accountSid, authToken, from };
}

/** The limits of calls to providers. */
export function limitSettingsOf(app: AppConfig) {
  return {
    authorizeDeadlineMs: app.AUTHORIZE_DEADLINE_MS,
    breakWindowMs: app.BREAKER_WINDOW_MS,
    breakAfter: app.BREAKER_MIN_CALLS,
    breakRate: app.BREAKER_FAILURE_PERCENT / 100,
    probeAfterMs: app.BREAKER_PROBE_AFTER_MS,
  };
}

/** The retention periods of the configuration. */
export function retentionOf(app: AppConfig): Retention {
  return {
    keys: app.RETAIN_KEYS_DAYS,
    events: app.RETAIN_EVENTS_DAYS,
    messages: app.RETAIN_MESSAGES_DAYS,
    failures: app.RETAIN_FAILURES_DAYS,
    jobs: app.RETAIN_JOBS_DAYS,
    personalData: app.RETAIN_PERSONAL_DATA_DAYS ?? null,
  };
}

/** Reads the keys of the stored secrets. Throws ConfigError. */
export function readEncryptionConfig(
  env: Environment = environment(),
): Pick<AppConfig, 'ENCRYPTION_KEYS'> {
  return parse(appFields.pick({ ENCRYPTION_KEYS: true }), env);
}

/** The process environment and `.env`, if it exists. The environment takes precedence. */
export function environment(): Environment {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return process.env;
}

/** Sets a default for a variable that a library reads. */
export function defaultVariable(name: string, value: string): void {
  process.env[name] ??= value;
}

/** Parses the variables; `check` finds what is wrong with valid ones. One problem is reported of each. */
function parse<T>(
  schema: z.ZodType<T>,
  env: Environment,
  check: (values: Values) => readonly ConfigProblem[] = () => [],
): T {
  const values = trimmed(env);
  const result = schema.safeParse(values);
  const invalid = (result.error?.issues ?? []).map((issue) => ({
    variable: issue.path.join('.'),
    problem: describeIssue(issue),
  }));
  const named = new Set(invalid.map(({ variable }) => variable));
  const problems = [...invalid, ...check(values).filter(({ variable }) => !named.has(variable))];
  if (!result.success || problems.length > 0) throw configError(problems);
  return result.data;
}

/** Files and shells leave line ends and spaces behind. Empty variables are absent. */
function trimmed(env: Environment): Values {
  const values = Object.entries(env).map(([name, value]) => [name, value?.trim()] as const);
  return Object.fromEntries(values.filter(([, value]) => value));
}

function configError(problems: readonly ConfigProblem[]): ConfigError {
  const names = problems.flatMap(({ variable, isAllowable }) => (isAllowable ? [variable] : []));
  return new ConfigError(
    [
      'Invalid configuration. Set these variables in the environment or in .env:',
      ...problems.map(({ variable, problem }) => `  ${variable}: ${problem}`),
      ...(names.length === 0
        ? []
        : [`If something else makes them safe, accept them by ALLOW_UNSAFE=${names.join(',')}`]),
    ].join('\n'),
  );
}

/** Replaces Zod's messages by ones that say what to set. */
function describeIssue(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'number' || issue.expected === 'int'
        ? 'must be a whole number'
        : issue.message;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    case 'invalid_format':
      return issue.format === 'url' && issue.message === 'Invalid URL'
        ? 'must be a URL'
        : issue.message;
    case 'too_small':
      return `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}
