/**
 * What the provider, the card's bank or its dashboard does, for tests and people: on the sandbox's own
 * API at `/payments`, on loopback only.
 */
import { Hono } from 'hono';
import { z } from 'zod';
import { parseJson } from '../calls.ts';
import type { SandboxContext, SandboxEnv } from '../calls.ts';
import { DISPUTE_STATUSES, showDispute, showReview, showWarning } from './case-records.ts';
import type { CaseStore } from './cases.ts';
import type { IntentStore } from './intents.ts';
import { REFUND_STATUSES } from './cards.ts';
import { showRefund } from './records.ts';
import type { Intent } from './records.ts';
import type { RefundStore } from './refunds.ts';

const intentBody = z.strictObject({ payment_intent: z.string() });
const disputeBody = z.strictObject({
  payment_intent: z.string(),
  reason: z.string().max(100).default('fraudulent'),
  /** An inquiry: the bank asks, and has taken no money yet. */
  inquiry: z.boolean().default(false),
  amount: z.int().positive().optional(),
});
const reasonBody = z.strictObject({
  reason: z.enum(['approved', 'refunded', 'refunded_as_fraud', 'disputed', 'redacted']),
});
const statusBody = z.strictObject({ status: z.enum(DISPUTE_STATUSES) });

const refundBody = intentBody.extend({
  /** Without it: all that is left. */
  amount: z.int().positive().optional(),
  status: z.enum(REFUND_STATUSES).default('succeeded'),
});
const refundMoveBody = z.strictObject({ status: z.enum(REFUND_STATUSES) });

export interface PaymentControlDeps {
  readonly intents: IntentStore;
  readonly cases: CaseStore;
  readonly refunds: RefundStore;
}

export function createPaymentControl(deps: PaymentControlDeps): Hono<SandboxEnv> {
  const app = new Hono<SandboxEnv>();
  addDisputes(app, deps);
  addSignals(app, deps);
  addRefunds(app, deps);
  return app;
}

function addDisputes(app: Hono<SandboxEnv>, { intents, cases }: PaymentControlDeps): void {
  app.post('/disputes', (c) =>
    withBody(c, disputeBody, (body) =>
      withIntent(c, intents.find(body.payment_intent), (intent) => {
        if (intent.captured_minor === 0) return refused(c, 'The payment was not captured.');
        const { reason, inquiry: isInquiry, amount } = body;
        const about = { reason, isInquiry, ...(amount !== undefined && { amountMinor: amount }) };
        return c.json(showDispute(cases.dispute(intent, about)));
      }),
    ),
  );
  // Any status, in any order: banks do that as well.
  app.post('/disputes/:id/close', (c) =>
    withBody(c, statusBody, ({ status }) => {
      const dispute = cases.moveDispute(c.req.param('id'), status);
      return dispute === undefined ? absent(c) : c.json(showDispute(dispute));
    }),
  );
}

function addSignals(app: Hono<SandboxEnv>, { intents, cases }: PaymentControlDeps): void {
  app.post('/warnings', (c) =>
    withBody(c, intentBody, (body) =>
      withIntent(c, intents.find(body.payment_intent), (intent) =>
        c.json(showWarning(cases.warn(intent))),
      ),
    ),
  );
  app.post('/reviews', (c) =>
    withBody(c, intentBody, (body) =>
      withIntent(c, intents.find(body.payment_intent), (intent) =>
        c.json(showReview(cases.review(intent))),
      ),
    ),
  );
  app.post('/reviews/:id/close', (c) =>
    withBody(c, reasonBody, ({ reason }) => {
      const review = cases.closeReview(c.req.param('id'), reason);
      return review === undefined ? absent(c) : c.json(showReview(review));
    }),
  );
  app.post('/reviews/:id/approve', (c) => {
    const review = cases.closeReview(c.req.param('id'), 'approved');
    return review === undefined ? absent(c) : c.json(showReview(review));
  });
}

function addRefunds(app: Hono<SandboxEnv>, { intents, refunds }: PaymentControlDeps): void {
  app.post('/refunds', (c) =>
    withBody(c, refundBody, (body) =>
      withIntent(c, intents.find(body.payment_intent), (intent) => {
        const leftMinor = intent.captured_minor - intent.refunded_minor;
        const { amount: amountMinor = leftMinor, status: begins } = body;
        if (amountMinor === 0 || amountMinor > leftMinor) {
          return refused(c, `At most ${leftMinor} can be refunded.`);
        }
        return c.json(showRefund(refunds.refundManually(intent, { amountMinor, begins })));
      }),
    ),
  );
  // Any status, in any order, as card networks do.
  app.post('/refunds/:id', (c) =>
    withBody(c, refundMoveBody, ({ status }) => {
      const refund = refunds.move(c.req.param('id'), status);
      return refund === undefined ? absent(c) : c.json(showRefund(refund));
    }),
  );
}

/** 400 with what is wrong, or what `work` responds. */
async function withBody<T>(
  c: SandboxContext,
  schema: z.ZodType<T>,
  work: (body: T) => Response,
): Promise<Response> {
  const body = schema.safeParse(parseJson(await c.req.text()));
  return body.success ? work(body.data) : refused(c, z.prettifyError(body.error));
}

function withIntent(
  c: SandboxContext,
  intent: Intent | undefined,
  work: (intent: Intent) => Response,
): Response {
  return intent === undefined ? absent(c) : work(intent);
}

function refused(c: SandboxContext, message: string): Response {
  return c.json({ error: { message } }, 400);
}

function absent(c: SandboxContext): Response {
  return c.json({ error: { message: 'There is no such object.' } }, 404);
}
