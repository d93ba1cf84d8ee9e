/**
 * What a process refuses to start with when NODE_ENV is production: secrets that others know or could
 * guess, test keys, addresses of the sandbox, and connections that anybody on the way can read.
 */
import { weaknessOf } from './secret-strength.ts';
import { readTemporalSettings } from './temporal.ts';
import { listOf, type ConfigProblem, type Values } from './values.ts';

/** Values of the local stack. They are published here, so production refuses them. */
export const LOCAL_SECRETS = {
  stripeKey: 'sk_test_local',
  paymentsWebhook: 'whsec_bG9jYWwtcGF5bWVudHMtd2ViaG9vay1zZWNyZXQ=',
  warehouseKey: 'local-warehouse-key',
  warehouseCallback: 'whsec_bG9jYWwtd2FyZWhvdXNlLWNhbGxiYWNrLXNlY3JldA==',
  twilioAccountSid: 'AC00000000000000000000000000000001',
  twilioAuthToken: 'local-twilio-auth-token',
} as const;

const PUBLISHED: readonly string[] = Object.values(LOCAL_SECRETS);
/** Standard Webhooks: 24 to 64 bytes. */
const MIN_SIGNING_BYTES = 24;
const MIN_KEY_LENGTH = 16;
/** What stands before a secret: whsec_, or the id of an encryption key. */
const PREFIX = /^(?:whsec_|[^:]*:)/;
const PASSWORDS = /^(?:holdfast|postgres|password|secret|change.?me|admin|root)$/i;

/** Null when the value is safe. An absent value is empty: that it is required is said elsewhere. */
type Check = (value: string, values: Values) => string | null;

const CHECKS: Readonly<Record<string, Check>> = {
  MAIL_FROM: checkSender,
  NODE_TLS_REJECT_UNAUTHORIZED: checkCertificates,
  PUBLIC_URL: requirePublicUrl,
};

/** Something else may protect these, such as a service mesh: then ALLOW_UNSAFE names them. */
const ALLOWABLE_CHECKS: Readonly<Record<string, Check>> = {
  DATABASE_URL: checkDatabase,
  OTEL_EXPORTER_OTLP_ENDPOINT: checkCollector,
  PUBLIC_URL: checkWebUrl,
  SHOP_ORDER_URL: checkWebUrl,
  SMTP_URL: checkMailServer,
  STRIPE_API_KEY: checkStripeKey,
  STRIPE_API_URL: checkWebUrl,
  TEMPORAL_ADDRESS: checkTemporal,
  TWILIO_API_URL: checkWebUrl,
  WAREHOUSE_API_KEY: checkWarehouseKey,
  WAREHOUSE_URL: checkWebUrl,
};

/** What ALLOW_UNSAFE may name. */
export const MAY_BE_UNSAFE: readonly string[] = Object.keys(ALLOWABLE_CHECKS);

/** All problems of these values in production, at most one of each variable; none in another mode. */
export function productionProblems(values: Values): readonly ConfigProblem[] {
  if (values['NODE_ENV'] !== 'production') return [];
  const run = (checks: Readonly<Record<string, Check>>, isAllowable: boolean): ConfigProblem[] =>
    Object.entries(checks).flatMap(([variable, check]) => {
      const problem = check(values[variable] ?? '', values);
      return problem === null ? [] : [{ variable, problem, isAllowable }];
    });
  const allowed = listOf(values['ALLOW_UNSAFE']);
  const problems = [
    ...secretProblems(values),
    ...run(CHECKS, false),
    ...run(ALLOWABLE_CHECKS, true).filter(({ variable }) => !allowed.includes(variable)),
  ];
  const named = problems.map(({ variable }) => variable);
  return problems.filter(({ variable }, at) => named.indexOf(variable) === at);
}

interface Secret {
  readonly variable: string;
  readonly text: string;
  readonly bytes: Uint8Array;
  /** Null: not checked. */
  readonly minBytes: number | null;
}

/** Secrets that are published, used twice, or weak. */
function secretProblems(values: Values): readonly ConfigProblem[] {
  const usedBy = new Map<string, string>();
  return secretsIn(values).flatMap(({ variable, text, bytes, minBytes }) => {
    const value = text.replace(PREFIX, '');
    const other = usedBy.get(value);
    usedBy.set(value, variable);
    const weakness = minBytes === null ? null : weaknessOf(bytes, minBytes);
    const problem = PUBLISHED.includes(text)
      ? 'published with the source code; create your own'
      : other !== undefined
        ? `has a secret that is also in ${other}; each needs one of its own`
        : weakness && `${weakness}; create one, e.g. with: openssl rand -base64 32`;
    return problem === null ? [] : [{ variable, problem }];
  });
}

/** Every secret that is set. Its strength is checked here if we chose it, and so could replace it. */
function secretsIn(values: Values): readonly Secret[] {
  const all = (variable: string, minBytes: number | null, bytesOf: (text: string) => Uint8Array) =>
    listOf(values[variable]).map((text) => ({ variable, text, minBytes, bytes: bytesOf(text) }));
  return [
    ...all('STRIPE_API_KEY', null, Buffer.from),
    ...all('WAREHOUSE_API_KEY', null, Buffer.from),
    ...all('TWILIO_AUTH_TOKEN', null, Buffer.from),
    // Stripe signs with the characters themselves.
    ...all('STRIPE_WEBHOOK_SECRET', MIN_SIGNING_BYTES, withoutPrefix),
    ...all('WAREHOUSE_CALLBACK_SECRET', MIN_SIGNING_BYTES, decoded),
    // The configuration requires its length in every mode.
    ...all('ENCRYPTION_KEYS', 0, decoded),
  ];
}

function withoutPrefix(secret: string): Uint8Array {
  return Buffer.from(secret.replace(PREFIX, ''));
}

function decoded(secret: string): Uint8Array {
  return Buffer.from(secret.replace(PREFIX, ''), 'base64');
}

function checkStripeKey(key: string): string | null {
  if (key === '') return null;
  if (/^(?:sk|rk)_test_/.test(key)) {
    return 'a test key, with which no money moves; use a key that starts with sk_live_ or rk_live_';
  }
  return /^(?:sk|rk)_live_\w{16,}$/.test(key)
    ? null
    : "not a secret key of Stripe's live mode, which starts with sk_live_ or rk_live_";
}

function checkWarehouseKey(key: string): string | null {
  const weakness = key === '' ? null : weaknessOf(Buffer.from(key), MIN_KEY_LENGTH);
  return weakness && `${weakness}; let the warehouse create another`;
}

function checkWebUrl(value: string): string | null {
  const url = parseUrl(value);
  if (url === null) return null;
  if (isLoopback(url.hostname)) {
    return "this machine's own address, as the sandbox has; set the one of the real system";
  }
  return url.protocol === 'https:'
    ? null
    : 'the connection would not be encrypted; use an address that starts with https://';
}

/** A collector beside the process is usual. */
function checkCollector(value: string): string | null {
  const url = parseUrl(value);
  return url?.protocol !== 'http:' || isLoopback(url.hostname)
    ? null
    : 'the connection to another machine would not be encrypted; use https://';
}

/** A worker sends it to the warehouse. The default, loopback, would be the warehouse itself. */
function requirePublicUrl(value: string, { ROLE }: Values): string | null {
  return value !== '' || ROLE === 'api'
    ? null
    : 'required by a worker in production, the URL at which the warehouse reaches the API, ' +
        'e.g. https://checkout.shop.example';
}

/** nodemailer reads the options in the query. Without `requireTLS` it sends in clear if it must. */
function checkMailServer(value: string): string | null {
  const url = parseUrl(value);
  if (url === null) return null;
  if (isLoopback(url.hostname)) {
    return "this machine's own address, as the sandbox has; set the one of the real server";
  }
  if (/^(?:false|0)$/.test(url.searchParams.get('tls.rejectUnauthorized') ?? '')) {
    return "the server's certificate would not be verified; remove tls.rejectUnauthorized";
  }
  const isEncrypted =
    url.protocol === 'smtps:' ||
    (url.searchParams.get('requireTLS') === 'true' && !url.searchParams.has('ignoreTLS'));
  return isEncrypted
    ? null
    : 'mails could be sent in clear; use smtps://..., or smtp://...?requireTLS=true';
}

function checkSender(value: string): string | null {
  return value === '' || /@holdfast\.example>?\s*$/.test(value)
    ? 'required in production, the sender that customers see, e.g. My shop <orders@shop.example>'
    : null;
}

/** Read by Node itself. */
function checkCertificates(value: string): string | null {
  return value === '0' ? 'it switches off the verification of every certificate; remove it' : null;
}

/** By the parameters that node-postgres reads: without one of them it does not encrypt. */
function checkDatabase(value: string, values: Values): string | null {
  const url = parseUrl(value);
  if (url === null) return null;
  if (PASSWORDS.test(url.password)) {
    return 'a well-known password; set one of your own for this user';
  }
  const parameters = url.searchParams;
  const host = parameters.get('host') ?? (url.hostname.replace(/^%2f/i, '/') || values['PGHOST']);
  if (!host || host.startsWith('/') || isLoopback(host)) return null;
  const mode = parameters.get('sslmode') ?? parameters.get('ssl') ?? values['PGSSLMODE'] ?? '';
  if (mode === 'no-verify' || onlyEncrypts(parameters)) {
    return "the server's certificate would not be verified; add sslmode=verify-full";
  }
  const isEncrypted = /^(?:require|verify-ca|verify-full|true|1)$/.test(mode);
  return isEncrypted || (mode === '' && parameters.has('sslrootcert'))
    ? null
    : 'the connection to another machine would not be encrypted; add sslmode=verify-full';
}

/** libpq's meaning of `require`. */
function onlyEncrypts(parameters: URLSearchParams): boolean {
  return (
    parameters.get('uselibpqcompat') === 'true' &&
    parameters.get('sslmode') === 'require' &&
    !parameters.has('sslrootcert')
  );
}

/** TLS is on with an API key, or with any of Temporal's TLS settings, unless TEMPORAL_TLS is off. */
function checkTemporal(_: string, values: Values): string | null {
  const settings = readTemporalSettings(values);
  if ('problem' in settings) return null;
  const { address = 'localhost', tls } = settings.connectionOptions;
  const isEncrypted = tls !== undefined && tls !== null && tls !== false;
  return isEncrypted || isLoopback(address.replace(/:\d+$/, ''))
    ? null
    : 'the connection to another machine would not be encrypted; set TEMPORAL_TLS=true';
}

/** A name or an address of this machine, as `URL.hostname` has it. */
function isLoopback(host: string): boolean {
  return /^(?:(?:.*\.)?localhost\.?|127(?:\.\d+){3}|0\.0\.0\.0|\[?::1?\]?|\[?::ffff:(?:127|7f).*)$/i.test(
    host,
  );
}

function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}
