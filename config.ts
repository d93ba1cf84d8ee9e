/**
 * The only reader of the environment. Values are parsed once at startup, which fails with a list of
 * all invalid variables. A test compares `.env.example` with the keys.
 */
import { existsSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import process from 'node:process';
import { z } from 'zod';
import { appFields, stackSchema } from './config/fields.ts';
import { productionProblems } from './config/production.ts';
import { smsProblems } from './config/sms.ts';
import { readTemporalSettings, type TemporalSettings } from './config/temporal.ts';
import { listOf, type ConfigProblem, type Values } from './config/values.ts';
import type { Retention } from './domain/retention.ts';

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

/** Reads what a check of the Stripe account needs; each of it may be absent. Throws ConfigError. */
export function readStripeConfig(env: Environment = environment()) {
  const { STRIPE_API_KEY, STRIPE_API_URL, STRIPE_WEBHOOK_SECRET, PUBLIC_URL } = appFields.shape;
  const [key, secret] = [STRIPE_API_KEY.optional(), STRIPE_WEBHOOK_SECRET.optional()];
  const fields = { STRIPE_API_KEY: key, STRIPE_API_URL, STRIPE_WEBHOOK_SECRET: secret, PUBLIC_URL };
  return parse(z.object(fields), env);
}

/** Every address of this machine; it is reached at the one of loopback. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** The address under which the API is reached. */
export function publicUrlOf(app: Pick<AppConfig, 'PUBLIC_URL' | 'HOST' | 'PORT'>): string {
  const host = LOOPBACK_OF[app.HOST] ?? app.HOST;
  return app.PUBLIC_URL ?? `http://${isIPv6(host) ? `[${host}]` : host}:${app.PORT}`;
}

/** Temporal's Web UI; null when its address is not configured. */
export function temporalUiOf({ TEMPORAL_UI_URL: url }: AppConfig, namespace: string) {
  return url === undefined ? null : { url, namespace };
}

/** The sandbox that the start page links; null in production, which has none. */
function sandboxUrlOf({ SANDBOX_URL, NODE_ENV }: AppConfig): string | null {
  return NODE_ENV === 'production' ? null : (SANDBOX_URL ?? null);
}

/** The API's own settings. */
export function apiSettingsOf(app: AppConfig) {
  return {
    defaultLanguage: app.DEFAULT_LANGUAGE,
    paymentActionMinutes: app.PAYMENT_ACTION_MINUTES,
    sandboxUrl: sandboxUrlOf(app),
    production: app.NODE_ENV === 'production',
    timeZone: app.SHOP_TIME_ZONE,
    trustedProxies: app.TRUSTED_PROXIES,
    needsTemporal: app.ROLE === 'worker',
    bulkApproval: app.BULK_APPROVAL === 'required',
    console: app.CONSOLE === 'on',
  };
}

/** How long a shipment waits for the cases of its payment; null: it does not. */
export function fraudHoldMsOf({ FRAUD_HOLD, FRAUD_HOLD_HOURS }: AppConfig): number | null {
  return FRAUD_HOLD === 'ignore' ? null : FRAUD_HOLD_HOURS * 3_600_000;
}

/** What messages to customers say of the shop. */
export function shopProfileOf(app: AppConfig) {
  const { SHOP_NAME, MAIL_FROM, SHOP_ORDER_URL, SHOP_TIME_ZONE } = app;
  const sender = /^\s*"?([^"<@]*[^"<@\s])"?\s*</.exec(MAIL_FROM)?.[1];
  const name = SHOP_NAME ?? sender ?? 'Holdfast';
  return { name, orderUrl: SHOP_ORDER_URL ?? null, timeZone: SHOP_TIME_ZONE };
}

/** The SMS provider; null: none is configured, and no SMS is sent. */
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
  keepFromProxy(['127.0.0.1', '::1', 'localhost']);
  return process.env;
}

/** gRPC in JavaScript sends every call through the proxy of http_proxy that these lists do not name. */
function keepFromProxy(hosts: readonly string[]): void {
  const listed = listOf(process.env['no_grpc_proxy'] || process.env['no_proxy']);
  process.env['no_grpc_proxy'] = [...new Set([...listed, ...hosts])].join(',');
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
