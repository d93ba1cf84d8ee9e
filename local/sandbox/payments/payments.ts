/** The payment provider: its records, events and API. */
import type { Hono } from 'hono';
import type { CallLog } from '../call-log.ts';
import type { SandboxEnv } from '../calls.ts';
import type { SandboxClock } from '../clock.ts';
import type { Faults } from '../faults.ts';
import type { Journal } from '../journal.ts';
import { createIdempotencyStore } from '../idempotency-store.ts';
import type { Ledger } from '../ledger.ts';
import { createChallenges, type Challenges } from './challenges.ts';
import { internal, keyInUse, keyMismatch, rejected } from './errors.ts';
import { createCaseStore } from './cases.ts';
import { createPaymentControl } from './control.ts';
import { createIntentStore } from './intents.ts';
import type { IntentDeps } from './steps.ts';
import { createRefundStore } from './refunds.ts';
import { createPaymentRoutes } from './routes.ts';
import { createWebhooks } from './webhooks.ts';
import type { WebhookTarget } from './webhooks.ts';

export interface PaymentsOptions {
  readonly journal: Journal;
  readonly clock: SandboxClock;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly ledger: Ledger;
  readonly target: WebhookTarget | null;
  readonly retryDelaysMs: readonly number[];
  /** The sandbox's own address, for the pages of challenges. */
  readonly url: string;
}

export interface Payments {
  readonly routes: Hono<SandboxEnv>;
  readonly challenges: Challenges;
  /** What is done at the provider by others than the shop. */
  readonly control: Hono<SandboxEnv>;
  readonly aim: (target: WebhookTarget | null) => void;
  readonly expire: () => void;
  readonly close: () => Promise<void>;
}

/** Stripe deletes a key after this: https://docs.stripe.com/api/idempotent_requests */
const KEY_TTL_MS = 24 * 60 * 60 * 1000;

export function createPayments(options: PaymentsOptions): Payments {
  const { journal, clock, faults, ledger } = options;
  const webhooks = createWebhooks(options);
  const deps: IntentDeps = {
    journal,
    clock,
    ledger,
    challengeUrl: (id) => `${options.url}/challenge/${id}`,
    emit: webhooks.emit,
    onMoved: (move, intent) => cases.follow(move, intent),
  };
  const intents = createIntentStore(deps);
  const cases = createCaseStore(deps, intents);
  const refunds = createRefundStore(deps, intents);
  const context = {
    provider: 'payments',
    journal,
    faults,
    calls: options.calls,
    keys: createIdempotencyStore(journal, clock, { ttlMs: KEY_TTL_MS }),
    failed: internal,
    rejected,
    keyMismatch,
    keyInUse,
  } as const;
  return {
    routes: createPaymentRoutes({ context, intents, refunds, cases, target: webhooks.target }),
    control: createPaymentControl({ intents, cases, refunds }),
    challenges: createChallenges(context, intents),
    aim: webhooks.aim,
    expire: () => {
      intents.expire();
      refunds.settleDue();
    },
    close: webhooks.close,
  };
}
