/**
 * `--stripe`: a read-only check of the Stripe account that the configuration names. Key, account,
 * permissions, webhook endpoint. Nothing is created or changed, and the key is never part of a text.
 */
import type Stripe from 'stripe';
import { fetchOnce } from '../../gateways/resilience/http.ts';
import { createStripeClient, type StripeAccess } from '../../gateways/stripe/client.ts';
import { checkEndpoints } from './endpoints.ts';
import { API_VERSION } from './events.ts';
import { found, type Finding } from './finding.ts';
import { PERMISSIONS, type Permission, type Proof } from './permissions.ts';
import { DEADLINE_MS, readAtStripe, type Read } from './stripe-call.ts';

export interface StripeSettings extends StripeAccess {
  readonly publicUrl: string | undefined;
  /** The signing secrets of the endpoint; two during a rotation. */
  readonly webhookSecrets: readonly string[];
  readonly timeoutMs?: number;
}

/** Everything that was found, in the order of the report. */
export async function checkStripe(settings: StripeSettings): Promise<readonly Finding[]> {
  const key = KEY.exec(settings.apiKey)?.groups;
  if (key === undefined) {
    return [found('failed', 'STRIPE_API_KEY is no secret or restricted key: sk_... or rk_...')];
  }
  const stripe = createStripeClient(settings);
  const options = { timeout: settings.timeoutMs ?? DEADLINE_MS };
  const account = await readAccount(stripe, options);
  if (account.kind === 'key_refused') {
    return [found('failed', 'Stripe refuses the key: it is wrong, expired or revoked')];
  }
  const isRestricted = key['kind'] === 'rk';
  const [version, proofs, endpoints] = await Promise.all([
    readVersion(settings, options.timeout),
    proveAll(stripe, options),
    readAtStripe(() => stripe.webhookEndpoints.list({ limit: 100 }, options)),
  ]);
  return [
    checkKind(isRestricted, key['mode'] === 'live'),
    ...checkAccount(account, version),
    ...proofs,
    ...whatReadingCannotProve(isRestricted),
    ...endpointFindings(endpoints, settings.publicUrl),
    checkSecrets(settings.webhookSecrets),
  ];
}

/** https://docs.stripe.com/keys */
const KEY = /^(?<kind>sk|rk)_(?<mode>test|live)_/;

function checkKind(isRestricted: boolean, isLive: boolean): Finding {
  const mode = isLive ? 'live mode: real money' : 'test mode: no money moves';
  if (isRestricted) return found('passed', `a restricted key of ${mode}`);
  const text = `a secret key of ${mode}. It may do everything: use a restricted key`;
  return found(isLive ? 'warning' : 'note', text);
}

function readAccount(stripe: Stripe, options: Stripe.RequestOptions) {
  return readAtStripe(() => stripe.accounts.retrieveCurrent({}, options));
}

function checkAccount(account: Read<Stripe.Account>, version: string | null): readonly Finding[] {
  if (account.kind !== 'read') {
    // The gateway does not read the account, so its key needs no permission to.
    const isHidden = account.kind === 'not_permitted';
    const text = `the account: ${trouble(account)}. The shop does not need it, this check does`;
    return [found(isHidden ? 'note' : verdictOf(account), text)];
  }
  const { id, country, default_currency: currency, charges_enabled: takes } = account.value;
  const cards = account.value.capabilities?.card_payments ?? 'not requested';
  return [
    found('passed', `account ${id} in ${country ?? '?'}, paid out in ${currency ?? '?'}`),
    takes === true
      ? found('passed', 'it may take charges')
      : found('failed', 'it may not take charges yet: complete it in the dashboard'),
    cards === 'active'
      ? found('passed', 'it may take cards, also with a later capture')
      : found('failed', `it may not take cards (card_payments: ${cards}): see the dashboard`),
    ...checkVersion(version),
  ];
}

/** The account's own version is that of events and of clients that name none. */
function checkVersion(version: string | null): readonly Finding[] {
  if (version === null) return [];
  const text = `API version: ${version} is the account's, ${API_VERSION} the one of every call`;
  return [found('note', text)];
}

/** Without a version in the request, the response has the account's own. The package always sends one. */
async function readVersion({ apiKey, apiUrl }: StripeSettings, timeoutMs: number) {
  const headers = { authorization: `Bearer ${apiKey}` };
  const signal = AbortSignal.timeout(timeoutMs);
  const url = new URL('/v1/account', apiUrl).href;
  const read = await readAtStripe(() => fetchOnce(url, { headers, signal }));
  const isRead = read.kind === 'read' && read.value.status === 200;
  return isRead ? read.value.headers.get('stripe-version') : null;
}

async function proveAll(stripe: Stripe, options: Stripe.RequestOptions) {
  const proofs = PERMISSIONS.flatMap((permission) =>
    permission.proofs.map((proof) => ({ permission, proof })),
  );
  return Promise.all(
    proofs.map(async ({ permission, proof }) => {
      const read = await readAtStripe(() => proof.read(stripe, options));
      return permissionFinding(permission, proof, read);
    }),
  );
}

function permissionFinding({ name }: Permission, { call }: Proof, read: Read<unknown>): Finding {
  if (read.kind === 'read') return found('passed', `${name}: read, by ${call}`);
  return found(verdictOf(read), `${name}, by ${call}: ${trouble(read)}`);
}

/** A read proves no write, and a write is what this check must not do. */
function whatReadingCannotProve(isRestricted: boolean): readonly Finding[] {
  if (!isRestricted) return [];
  const writes = PERMISSIONS.filter(({ access }) => access === 'write').map(({ name }) => name);
  const text = `whether the key may write ${writes.join(' and ')}: place and refund a test order`;
  return [found('note', `no read shows ${text}`)];
}

function endpointFindings(
  endpoints: Read<Stripe.ApiList<Stripe.WebhookEndpoint>>,
  publicUrl: string | undefined,
): readonly Finding[] {
  if (endpoints.kind === 'read') return checkEndpoints(endpoints.value.data, publicUrl);
  const text = `the webhook endpoints: ${trouble(endpoints)}. The shop does not need it, this check does`;
  const isHidden = endpoints.kind === 'not_permitted';
  return [found(isHidden ? 'warning' : verdictOf(endpoints), text)];
}

/** Stripe shows a secret once, when it is made, so only their number can be checked. */
function checkSecrets(secrets: readonly string[]): Finding {
  if (secrets.length > 1) {
    const text = `STRIPE_WEBHOOK_SECRET has ${secrets.length} secrets: after a rotation remove the old one`;
    return found('warning', text);
  }
  if (secrets.length === 0) {
    return found('warning', 'STRIPE_WEBHOOK_SECRET is not set: no event would be accepted');
  }
  const roll = 'to replace it, roll it in the dashboard and set both until the old one has expired';
  return found('note', `no read shows whether STRIPE_WEBHOOK_SECRET is the endpoint's; ${roll}`);
}

type Trouble = Exclude<Read<unknown>, { readonly kind: 'read' }>;

function verdictOf({ kind }: Trouble): 'failed' | 'unknown' {
  return kind === 'no_answer' ? 'unknown' : 'failed';
}

function trouble(read: Trouble): string {
  switch (read.kind) {
    case 'key_refused':
      return 'Stripe refuses the key';
    case 'not_permitted':
      return `the key has no permission (${read.scopes.join(' or ') || 'Stripe does not name it'})`;
    case 'refused':
      return `refused with ${read.code}`;
    case 'no_answer':
      return `Stripe did not answer (${read.reason})`;
  }
}
