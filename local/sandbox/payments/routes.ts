/** The part of Stripe's REST API that manual capture needs, under /v1. */
import { Hono } from 'hono';
import { attempt, ok } from '../calls.ts';
import type { ProviderResponse, ProviderContext, SandboxContext, SandboxEnv } from '../calls.ts';
import { fingerprintOf } from '../idempotency-store.ts';
import { ACCOUNT, showEndpoints } from './account.ts';
import { missing, tooMany, unauthorized } from './errors.ts';
import { showDispute, showReview, showWarning } from './case-records.ts';
import type { CaseStore } from './cases.ts';
import { parseForm } from './form.ts';
import type { IntentStore } from './intents.ts';
import { listExpand, listed, searched } from './lists.ts';
import { orderOf, showIntent, showRefund } from './records.ts';
import type { RefundStore } from './refunds.ts';
import type { Step } from './steps.ts';
import { API_VERSION } from './webhooks.ts';
import type { WebhookTarget } from './webhooks.ts';

export interface PaymentDeps {
  readonly context: ProviderContext;
  readonly intents: IntentStore;
  readonly refunds: RefundStore;
  /** Where events are sent; null: nowhere. */
  readonly target: () => WebhookTarget | null;
  readonly cases: CaseStore;
}

type Write = 'authorize' | 'capture' | 'void' | 'refund';

export function createPaymentRoutes(deps: PaymentDeps): Hono<SandboxEnv> {
  const { context, intents, refunds, cases, target } = deps;
  const app = new Hono<SandboxEnv>();

  async function write(
    c: SandboxContext,
    operation: Write,
    run: (step: Step) => ProviderResponse,
  ): Promise<Response> {
    const form = parseForm(await c.req.text());
    const key = c.req.header('idempotency-key') ?? null;
    const fingerprint = fingerprintOf([c.req.path, form.canonical()]);
    return attempt(c, context, {
      operation,
      key,
      fingerprint,
      run: (refused) => run({ key, form, refused }),
    });
  }

  const read = readerOf(context, intents);

  app.use(async (c, next) => {
    const token = c.req.header('authorization') ?? '';
    if (!/^Bearer [rs]k_/.test(token)) return c.json(unauthorized().body, 401);
    await next();
    c.header('Stripe-Version', API_VERSION);
    c.header('Request-Id', `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 14)}`);
    return undefined;
  });
  app.post('/payment_intents', (c) => write(c, 'authorize', intents.authorize));
  app.post('/payment_intents/:id/capture', (c) =>
    write(c, 'capture', (step) => intents.capture(c.req.param('id'), step)),
  );
  app.post('/payment_intents/:id/cancel', (c) =>
    write(c, 'void', (step) => intents.cancel(c.req.param('id'), step)),
  );
  app.post('/refunds', (c) => write(c, 'refund', refunds.refund));
  app.get('/payment_intents', (c) => read(c, () => listIntents(c, intents)));
  app.get('/payment_intents/search', (c) => read(c, () => searched(intents.all(), queryOf(c))));
  app.get('/payment_intents/:id', (c) =>
    read(c, () => showOne(c, intents, c.req.param('id')), c.req.param('id')),
  );
  app.get('/refunds', (c) => read(c, () => listRefunds(c, deps), c.req.query('payment_intent')));
  app.get('/refunds/:id', (c) =>
    read(c, () => {
      const refund = refunds.find(c.req.param('id'));
      if (refund === undefined) return missing('refund', c.req.param('id'));
      return ok(showRefund(refund));
    }),
  );
  app.get('/account', (c) => read(c, () => ok(ACCOUNT)));
  app.get('/webhook_endpoints', (c) => read(c, () => ok(showEndpoints(target()))));
  addCases(app, read, cases);
  return app;
}

function addCases(app: Hono<SandboxEnv>, read: Read, cases: CaseStore): void {
  const { disputes, warnings, reviews } = cases;
  addReads(app, read, { url: '/disputes', rows: disputes, show: showDispute });
  addReads(app, read, { url: '/radar/early_fraud_warnings', rows: warnings, show: showWarning });
  addReads(app, read, {
    url: '/reviews',
    rows: reviews,
    // Stripe's list has the open ones only.
    isListed: ({ closed_reason: reason }) => reason === null,
    show: showReview,
  });
}

/** A list by the time of creation or by the payment, and one object. */
function addReads<T extends CaseRow>(
  app: Hono<SandboxEnv>,
  read: Read,
  resource: {
    readonly url: string;
    readonly rows: () => readonly T[];
    readonly isListed?: (row: T) => boolean;
    readonly show: (row: T) => object;
  },
): void {
  const { url, rows, show, isListed = () => true } = resource;
  app.get(url, (c) =>
    read(c, () => {
      const form = queryOf(c);
      const intentId = form.text('payment_intent');
      const matching = rows().filter(
        (row) => isListed(row) && (intentId === null || row.intent_id === intentId),
      );
      return listed(matching, form, { url: `/v1${url}`, show });
    }),
  );
  app.get(`${url}/:id`, (c) =>
    read(c, () => {
      const id = c.req.param('id');
      const row = rows().find((each) => each.id === id);
      return row === undefined ? missing(url, id) : ok(show(row));
    }),
  );
}

interface CaseRow {
  readonly id: string;
  readonly intent_id: string;
  readonly created_at_ms: number;
}

type Read = ReturnType<typeof readerOf>;

/** A call that reads. `intentId`: the intent it is about, where the URL names no order. */
function readerOf(context: ProviderContext, intents: IntentStore) {
  return (c: SandboxContext, run: () => ProviderResponse, intentId?: string): Promise<Response> => {
    const intent = intentId === undefined ? undefined : intents.find(intentId);
    return attempt(c, context, {
      operation: 'lookup',
      key: null,
      fingerprint: '',
      orderId: intent === undefined ? null : orderOf(intent),
      run: (refused) => (refused ? tooMany() : run()),
    });
  };
}

function listIntents(c: SandboxContext, intents: IntentStore): ProviderResponse {
  const form = queryOf(c);
  return listed(intents.all(), form, {
    url: '/v1/payment_intents',
    show: (intent) => showIntent(intent, listExpand(form)),
  });
}

function showOne(c: SandboxContext, intents: IntentStore, id: string): ProviderResponse {
  const intent = intents.find(id);
  if (intent === undefined) return missing('payment_intent', id);
  return ok(showIntent(intent, queryOf(c).list('expand')));
}

function listRefunds(
  c: SandboxContext,
  { refunds }: Pick<PaymentDeps, 'refunds'>,
): ProviderResponse {
  const form = queryOf(c);
  const intentId = form.text('payment_intent');
  const matching = refunds
    .all()
    .filter((refund) => intentId === null || refund.intent_id === intentId);
  return listed(matching, form, { url: '/v1/refunds', show: showRefund });
}

function queryOf(c: SandboxContext): ReturnType<typeof parseForm> {
  return parseForm(new URL(c.req.url).search);
}
