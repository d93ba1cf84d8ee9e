/**
 * The only reader of the environment. Values are parsed once at startup, which fails with a list of
 * all invalid variables. A test compares `.env.example` with the keys below.
 */
import { existsSync } from 'node:fs';
import process from 'node:process';
import { z } from 'zod';
import { DEFAULT_RETENTION, LEAST_RETENTION_DAYS, type Retention } from './domain/retention.ts';

const port = z.coerce.number().int().min(1).max(65535);

/** A required text or address. `expected` describes the value in the error. */
const required = (expected: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    input === undefined ? `required, ${expected}` : `not valid, expected ${expected}`,
});

/** The secrets that the Standard Webhooks library accepts, with or without padding. */
const BASE64_SECRET =
  /^whsec_(?=.{4})(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=?|[A-Za-z0-9+/]{2}(?:==)?)$/;
const SECRET_FORM = 'whsec_ followed by base64, e.g. from: echo "whsec_$(openssl rand -base64 32)"';
const webhookSecret = z.string(required(SECRET_FORM)).regex(BASE64_SECRET, { error: SECRET_FORM });

const databaseUrl = z.url(
  required('the PostgreSQL database, e.g. postgresql://user:password@host:5432/shop'),
);

/** A retention period; a longer one than 100 years is a typing error. */
const days = z.coerce.number().int().min(LEAST_RETENTION_DAYS).max(36_500);

const sender = z.string().regex(/^[^@]*[^\s@<]@[^\s@<>]+>?\s*$/, {
  error: 'Name <address> or an address, e.g. My shop <orders@shop.example>',
});

const appFields = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  ROLE: z.enum(['api', 'worker', 'all']).default('all'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  STOP_DELAY_MS: z.coerce.number().int().min(0).max(60_000).default(250),
  PUBLIC_URL: z.url().optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  DATABASE_URL: databaseUrl,
  DATABASE_POOL: z.coerce.number().int().min(3).max(200).default(20),
  WORKFLOW_BUNDLE: z.string().optional(),
  STRIPE_API_URL: z.url().default('https://api.stripe.com'),
  STRIPE_API_KEY: z.string(required("Stripe's secret key, sk_live_... or sk_test_...")),
  STRIPE_WEBHOOK_SECRET: z.string(
    required("the signing secret of Stripe's webhook endpoint for /callbacks/payments, whsec_..."),
  ),
  WAREHOUSE_URL: z.url(
    required("the address of the warehouse's API, e.g. https://wms.shop.example"),
  ),
  WAREHOUSE_API_KEY: z.string(required("the API key of the warehouse's API")),
  WAREHOUSE_CALLBACK_SECRET: webhookSecret,
  SMTP_URL: z.url(required('the mail server, e.g. smtp://user:password@host:587')),
  BREAKER_PROBE_AFTER_MS: z.coerce.number().int().min(100).max(3_600_000).default(60_000),
  MAIL_FROM: sender.default('Holdfast <orders@holdfast.example>'),
  RETAIN_KEYS_DAYS: days.default(DEFAULT_RETENTION.keys),
  RETAIN_EVENTS_DAYS: days.default(DEFAULT_RETENTION.events),
  RETAIN_MESSAGES_DAYS: days.default(DEFAULT_RETENTION.messages),
  RETAIN_FAILURES_DAYS: days.default(DEFAULT_RETENTION.failures),
  RETAIN_PERSONAL_DATA_DAYS: days.optional(),
});

const appSchema = appFields.refine(
  (app) => !isProductionWorker(app) || app.PUBLIC_URL !== undefined,
  {
    path: ['PUBLIC_URL'],
    // Reported together with all other errors.
    when: () => true,
    error:
      'required by a worker in production, the URL at which the warehouse reaches the API, ' +
      'e.g. https://checkout.shop.example',
  },
);

const stackSchema = z.object({
  HOLDFAST_HOME: z.string().default('.holdfast'),
  LOG_LEVEL: z.string().optional(),
  PORT: port.optional(),
  TEMPORAL_PORT: port.optional(),
  TEMPORAL_UI_PORT: port.optional(),
  POSTGRES_PORT: port.optional(),
  SANDBOX_PORT: port.optional(),
  SMTP_PORT: port.optional(),
  DATABASE_URL: z.url().optional(),
  TEMPORAL_ADDRESS: z.string().optional(),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  XDG_CACHE_HOME: z.string().optional(),
});

export type AppConfig = z.infer<typeof appSchema>;
export type StackConfig = z.infer<typeof stackSchema>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment's keys, for the test that compares them with `.env.example`. */
export const CONFIG_KEYS: readonly string[] = [
  ...new Set([...Object.keys(appFields.shape), ...Object.keys(stackSchema.shape)]),
];

/** An invalid configuration. The message lists every invalid variable. */
export class ConfigError extends Error {}

/** Reads the variables of API and worker. Throws ConfigError. */
export function readAppConfig(env: Environment = environment()): AppConfig {
  return parse(appSchema, env);
}

/** Reads the variables of the local stack. Throws ConfigError. */
export function readStackConfig(env: Environment = environment()): StackConfig {
  return parse(stackSchema, env);
}

/** Reads the variables of a command that uses only the database. Throws ConfigError. */
export function readDatabaseConfig(env: Environment = environment()): { DATABASE_URL: string } {
  return parse(appFields.pick({ DATABASE_URL: true }), env);
}

/** The retention periods of the configuration. */
export function retentionOf(app: AppConfig): Retention {
  return {
    keys: app.RETAIN_KEYS_DAYS,
    events: app.RETAIN_EVENTS_DAYS,
    messages: app.RETAIN_MESSAGES_DAYS,
    failures: app.RETAIN_FAILURES_DAYS,
    personalData: app.RETAIN_PERSONAL_DATA_DAYS ?? null,
  };
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

/** A worker sends this URL to the warehouse. The default, loopback, would be the warehouse itself. */
function isProductionWorker(app: Pick<z.infer<typeof appFields>, 'NODE_ENV' | 'ROLE'>): boolean {
  return app.NODE_ENV === 'production' && app.ROLE !== 'api';
}

function parse<T>(schema: z.ZodType<T>, env: Environment): T {
  const values = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const lines = result.error.issues.map(
    (issue) => `  ${issue.path.join('.')}: ${describeIssue(issue)}`,
  );
  throw new ConfigError(
    `Invalid configuration. Set these variables in the environment or in .env:\n${lines.join('\n')}`,
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
