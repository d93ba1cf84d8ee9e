import { afterEach, beforeAll, afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { PAYMENT_WEBHOOK_EVENTS } from '../../gateways/stripe/events.ts';
import { createDatabase, dropDatabase } from '../../local/stack/postgres.ts';
import { checkDatabase } from '../../tools/doctor/database.ts';
import { API_VERSION } from '../../tools/doctor/events.ts';
import { exitCodeOf, lineOf, type Finding } from '../../tools/doctor/finding.ts';
import { checkStripe, type StripeSettings } from '../../tools/doctor/stripe.ts';
import { useSandbox } from '../gateways/stripe-sandbox.ts';
import { runScript } from '../local/scripts.ts';
import { REQUIRED_CONFIG } from '../support/app-config.ts';
import { createTestDatabase } from '../support/database.ts';
import { openSilentServer } from '../support/silent-server.ts';
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';

const KEY = 'rk_test_Vb1tSecretOfTheShop';
const URL_OF_SHOP = 'https://checkout.shop.example/callbacks/payments';
const EVENTS = Object.keys(PAYMENT_WEBHOOK_EVENTS);
const LISTS = '/v1/webhook_endpoints';
/** The SDK gives an attempt to connect up after 30 s. */
const ENDS_WITHIN_MS = 25_000;

const sandbox = useSandbox();
let stripe: RecordingProxy;
beforeAll(async () => {
  stripe = await startRecordingProxy(sandbox.url);
});
afterAll(() => stripe?.close());
afterEach(() => {
  stripe.answer = () => null;
  stripe.exchanges.length = 0;
});

describe('npm run doctor -- --stripe', () => {
  test('a restricted key with every permission and a subscribed endpoint passes, by reads alone', async () => {
    serveEndpoints({});
    const findings = await check();
    expect(verdictsOf(findings)).toEqual(['passed', 'note'].toSorted());
    expect(exitCodeOf(findings)).toBe(0);
    expect(textOf(findings)).toContain(`subscribed to all ${EVENTS.length} events`);
    expect(textOf(findings)).toContain('account acct_sandbox in DE, paid out in eur');
    expect(textOf(findings)).toContain('may write PaymentIntents and Charges and Refunds');
    expect(new Set(stripe.exchanges.map(({ method }) => method))).toEqual(new Set(['GET']));
  });

  test('a publishable key fails before any call, and a key that Stripe refuses ends the check', async () => {
    const published = await check({ apiKey: 'pk_test_1' });
    expect(published).toEqual([
      { verdict: 'failed', text: expect.stringContaining('no secret or restricted key') },
    ]);
    expect(stripe.exchanges).toEqual([]);
    stripe.answer = () => refusal(401, `Invalid API Key provided: ${KEY}`);
    const refused = await check();
    expect(refused).toEqual([
      { verdict: 'failed', text: 'Stripe refuses the key: it is wrong, expired or revoked' },
    ]);
    expect(exitCodeOf(refused)).toBe(1);
  });

  test.for([
    { path: '/v1/payment_intents', scope: 'rak_payment_intent_read', name: 'PaymentIntents' },
    {
      path: '/v1/payment_intents/search',
      scope: 'rak_payment_intent_read',
      name: 'PaymentIntents',
    },
    { path: '/v1/refunds', scope: 'rak_charge_read', name: 'Charges and Refunds' },
    { path: '/v1/disputes', scope: 'rak_dispute_read', name: 'Disputes' },
    { path: '/v1/radar/early_fraud_warnings', scope: 'rak_charge_read', name: 'Radar' },
    { path: '/v1/reviews', scope: 'rak_review_read', name: 'Radar' },
  ])('a restricted key without $path fails, and Stripe names $scope', async (row) => {
    const findings = await withoutPermission(row);
    const text = expect.stringMatching(`^${row.name}, .*${row.scope}`);
    expect(findings).toContainEqual({ verdict: 'failed', text });
    expect(exitCodeOf(findings)).toBe(1);
    expect(textOf(findings)).not.toMatch(/Vb1t|SecretOf/);
  });

  test.for([
    { path: LISTS, scope: 'rak_webhook_read', verdict: 'warning' },
    { path: '/v1/account', scope: 'rak_accounts_kyc_basic_read', verdict: 'note' },
  ])('a restricted key without $path, which only the check reads, is a $verdict', async (row) => {
    const findings = await withoutPermission(row);
    const text = expect.stringMatching(`${row.scope}.*The shop does not need it`);
    expect(findings).toContainEqual({ verdict: row.verdict, text });
    expect(exitCodeOf(findings)).toBe(0);
  });

  test.for([
    { is: 'absent', has: { url: 'https://shop.example/other' }, says: 'no webhook endpoint has' },
    { is: 'disabled', has: { status: 'disabled' }, says: 'is disabled: enable it' },
    {
      is: 'without two events',
      has: { enabled_events: EVENTS.slice(2) },
      says: `not subscribed to ${EVENTS.slice(0, 2).join(', ')}: add them`,
    },
  ])('a webhook endpoint that is $is fails', async ({ has, says }) => {
    serveEndpoints(has);
    const findings = await check();
    expect(findings).toContainEqual({ verdict: 'failed', text: expect.stringContaining(says) });
    expect(exitCodeOf(findings)).toBe(1);
  });

  test.for([
    { is: 'with an event too many', has: { enabled_events: [...EVENTS, 'payout.paid'] } },
    { is: 'with all events', has: { enabled_events: ['*'] } },
    { is: 'of another API version', has: { api_version: '2020-08-27' } },
    { is: "of the account's API version", has: { api_version: null } },
    { is: 'of another host', has: { url: 'https://old.example/callbacks/payments' } },
  ])('a webhook endpoint that is $is gets a warning', async ({ has }) => {
    serveEndpoints(has);
    const findings = await check({ publicUrl: 'https://checkout.shop.example' });
    expect(findings.filter(({ verdict }) => verdict === 'warning')).toHaveLength(1);
    expect(exitCodeOf(findings)).toBe(0);
  });

  test('an account that may not take charges or cards fails', async () => {
    const account = { id: 'acct_new', country: 'DE', default_currency: 'eur', capabilities: {} };
    serveEndpoints({}, (path) => (path === '/v1/account' ? { status: 200, body: account } : null));
    const text = textOf(await check());
    expect(text).toContain('FAILED   it may not take charges yet');
    expect(text).toContain('FAILED   it may not take cards (card_payments: not requested)');
  });

  test('a call without an answer is unknown after its deadline, and nothing else waits for it', async () => {
    serveEndpoints({}, (path) => (path === '/v1/refunds' ? 'hang' : null));
    const findings = await check({ timeoutMs: 500 });
    const hung = findings.filter(({ text }) => text.includes('refunds.list'));
    expect(hung).toEqual([{ verdict: 'unknown', text: expect.stringContaining('deadline') }]);
    expect(exitCodeOf(findings)).toBe(3);
  });

  test('two webhook secrets are named as a rotation to finish', async () => {
    serveEndpoints({});
    expect(textOf(await check({ webhookSecrets: ['whsec_a', 'whsec_b'] }))).toContain('2 secrets');
  });

  test('the command prints one line for each finding, no key, and exits with 1 when one failed', async () => {
    const env = {
      STRIPE_API_KEY: KEY,
      STRIPE_API_URL: stripe.url,
      STRIPE_WEBHOOK_SECRET: 'whsec_b',
    };
    const { code, output } = await doctor(['--stripe'], env);
    expect(output).toContain('FAILED   no webhook endpoint has a URL');
    expect(output).not.toMatch(/Vb1t|whsec_b/);
    expect(code).toBe(1);
  });
});

describe('npm run doctor', () => {
  test('--events prints every event and the command that creates the endpoint, without a key', async () => {
    const { code, output } = await doctor(['--events'], {
      PUBLIC_URL: 'https://checkout.shop.example',
    });
    expect(code).toBe(0);
    for (const type of EVENTS) expect(output).toContain(`-d "enabled_events[]=${type}"`);
    expect(output).toContain(`stripe webhook_endpoints create \\\n  -d "url=${URL_OF_SHOP}"`);
    expect(output).toContain('# Add --live in live mode');
  });

  test('without a flag an invalid configuration fails, with what the start says', async () => {
    const { code, output } = await doctor([], { SMTP_URL: 'ftp://mail' });
    expect(code).toBe(1);
    expect(output).toContain('FAILED   Invalid configuration.');
    expect(output).toContain('SMTP_URL:');
  });

  test(
    'a Temporal that accepts connections and never responds fails, and the command ends',
    async () => {
      const TEMPORAL_ADDRESS = await openSilentServer();
      const { code, output } = await doctor([], { ...REQUIRED_CONFIG, TEMPORAL_ADDRESS });
      expect(output).toContain('Temporal is unavailable');
      expect(code).toBe(1);
    },
    ENDS_WITHIN_MS,
  );

  test('a database with every migration passes', async () => {
    const database = await openDatabase();
    expect(await checkDatabase(database)).toMatchObject({ verdict: 'passed' });
  });

  test('a database that does not exist or lacks the migrations fails with its name and what to run', async () => {
    const url = new URL(await openDatabase());
    url.pathname += '_empty';
    const failed = {
      verdict: 'failed',
      text: expect.stringMatching(/test_.*_empty.*npm run migrate/),
    };
    const absent = await checkDatabase(url.href);
    expect(absent).toEqual(failed);
    expect(absent.text).toContain('there is no database');
    await createDatabase(url.href);
    onTestFinished(() => dropDatabase(url.href));
    const empty = await checkDatabase(url.href);
    expect(empty).toEqual(failed);
    expect(empty.text).toContain('lacks');
  });

  test('a database that cannot be reached fails', async () => {
    const closed = await checkDatabase('postgresql://nobody@127.0.0.1:9/shop');
    expect(closed).toMatchObject({ verdict: 'failed', text: expect.stringContaining('answer') });
  });

  test('--stripe without a key, and an unknown flag, exit with 2 and say what to give', async () => {
    expect(await doctor(['--stripe'])).toMatchObject({
      code: 2,
      output: expect.stringContaining('STRIPE_API_KEY'),
    });
    expect(await doctor(['--stirpe'])).toMatchObject({
      code: 2,
      output: expect.stringContaining('--stirpe'),
    });
  });
});

/** The address of a database with every migration. */
async function openDatabase(): Promise<string> {
  const { url, close } = await createTestDatabase();
  onTestFinished(close);
  return url;
}

function check(changes: Partial<StripeSettings> = {}): Promise<readonly Finding[]> {
  return checkStripe({
    apiKey: KEY,
    apiUrl: stripe.url,
    publicUrl: undefined,
    webhookSecrets: ['whsec_a'],
    ...changes,
  });
}

/** As Stripe would list them; `answer` comes first. */
function serveEndpoints(
  changes: object,
  answer: (path: string) => ReturnType<RecordingProxy['answer']> = () => null,
): void {
  const endpoint = {
    id: 'we_1',
    object: 'webhook_endpoint',
    api_version: API_VERSION,
    enabled_events: EVENTS,
    status: 'enabled',
    url: URL_OF_SHOP,
    ...changes,
  };
  const body = { object: 'list', url: LISTS, has_more: false, data: [endpoint] };
  stripe.answer = (_method, path) =>
    answer(path) ?? (path === LISTS ? { status: 200, body } : null);
}

function withoutPermission(row: { readonly path: string; readonly scope: string }) {
  const refused = refusal(403, missing(row.scope));
  serveEndpoints({}, (path) => (path === row.path ? refused : null));
  return check();
}

function refusal(status: number, message: string) {
  return { status, body: { error: { type: 'invalid_request_error', message } } };
}

/** Stripe's own words, with a part of the key. */
function missing(scope: string): string {
  return (
    `The provided key '${KEY}' does not have the required permissions for this endpoint on account ` +
    `'acct_1'. Having the '${scope}' permission would allow this request to continue.`
  );
}

function verdictsOf(findings: readonly Finding[]): readonly string[] {
  return [...new Set(findings.map(({ verdict }) => verdict))].toSorted();
}

function textOf(findings: readonly Finding[]): string {
  return findings.map(lineOf).join('\n');
}

function doctor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  // Variables of the machine that runs the tests are no part of them.
  const none = { STRIPE_API_KEY: '', STRIPE_WEBHOOK_SECRET: '', PUBLIC_URL: '' };
  return runScript('tools/doctor/main.ts', args, { ...none, ...env });
}
