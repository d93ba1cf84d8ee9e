/**
 * What makes the API's promises hold when a process dies or Temporal is away: one pass hands
 * over the callbacks nobody took, judges the payment provider's notices, ends the pending orders
 * nobody finished, opens dead letters whose redrive came to nothing, and forgets what is past its
 * time. Each item is safe to repeat, also by two processes at once. (Orders whose start was lost are
 * started from the event log: activities/subscribers/checkout-starter.ts.)
 */
import type { Logger } from 'pino';
import type { PaymentGateway } from '../gateways/payments.ts';
import type { Database } from '../prisma/client.ts';
import { reopenForgotten } from '../prisma/dead-letters.ts';
import { isDatabaseUnavailable } from '../prisma/errors.ts';
import { dropExpiredKeys } from '../prisma/idempotency.ts';
import { listUnprocessed } from '../prisma/inbox.ts';
import { listOverdue } from '../prisma/orders.ts';
import { dropOldConsumptions, dropOldEvents } from '../prisma/retention.ts';
import type { Checkouts } from './checkouts.ts';
import { EXPIRY_GRACE_MS, expireOrder } from './expire-order.ts';
import { settleNotices } from './payment-notices.ts';
import { handOver } from './shipment-answers.ts';

export interface RecoveryDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
  readonly checkouts: Checkouts;
  readonly log: Logger;
}

export interface RecoveryLimits {
  /** Younger callbacks are still in the hands of the request that brought them. */
  readonly olderThanMs: number;
  readonly expiryGraceMs: number;
  readonly batch: number;
  /** How long an event stays in the log after every subscription has passed it. */
  readonly eventsKeptDays: number;
}

export interface RecoveryResult {
  readonly handedOver: number;
  readonly expired: number;
  readonly forgotten: number;
  /** Notices of the payment provider that were judged for good. */
  readonly judged: number;
  /** Dead letters whose redrive came to nothing. */
  readonly reopened: number;
}

const LIMITS: RecoveryLimits = {
  olderThanMs: 2_000,
  expiryGraceMs: EXPIRY_GRACE_MS,
  batch: 100,
  eventsKeptDays: 90,
};
const EVERY_MS = 1_000;
/** A redriven delivery has been tried several times by then, a step has resumed at once. */
const REDRIVE_FORGOTTEN_AFTER_MS = 15 * 60_000;

/** One pass. A part that fails is logged and does not keep the others from running. */
export async function runRecovery(
  deps: RecoveryDeps,
  limits: RecoveryLimits = LIMITS,
): Promise<RecoveryResult> {
  const { olderThanMs, batch: limit } = limits;
  const [handedOver, expired, forgotten, judged, reopened] = await Promise.all([
    counted(deps, 'hand_over', () => handOverMissed(deps, limits)),
    counted(deps, 'expire', () => expireOverdue(deps, limits)),
    counted(deps, 'forget', () => forgetOld(deps, limits)),
    counted(deps, 'judge', () => settleNotices(deps, { olderThanMs, limit })),
    counted(deps, 'reopen', () =>
      reopenForgotten(deps.db, { olderThanMs: REDRIVE_FORGOTTEN_AFTER_MS, limit }),
    ),
  ]);
  return { handedOver, expired, forgotten, judged, reopened };
}

/** Runs pass after pass until stopped. `stop` waits for the one under way. */
export function startRecovery(deps: RecoveryDeps): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let pass = Promise.resolve();
  const plan = (): void => {
    timer = setTimeout(() => {
      pass = runRecovery(deps).then(() => {
        if (!stopped) plan();
      });
    }, EVERY_MS);
    timer.unref();
  };
  plan();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await pass;
    },
  };
}

async function handOverMissed(deps: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { olderThanMs, batch } = limits;
  const asked = { source: 'warehouse', olderThanMs, limit: batch } as const;
  let handedOver = 0;
  for (const message of await listUnprocessed(deps.db, asked)) {
    if (!(await handOver(deps, message))) break;
    handedOver += 1;
  }
  return handedOver;
}

async function expireOverdue(deps: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { expiryGraceMs: graceMs, batch } = limits;
  let expired = 0;
  for (const order of await listOverdue(deps.db, { graceMs, limit: batch })) {
    const outcome = await expireOrder(deps, order);
    if (outcome.kind === 'expired') {
      expired += 1;
    } else {
      deps.log.warn({ order_id: order.id, reason: outcome.reason }, 'order not expired yet');
      // The provider gives no answer: it will not for the next order either.
      if (outcome.reason === 'unavailable' || outcome.reason === 'unknown') break;
    }
  }
  return expired;
}

/** Nothing here grows for ever. What a consumer has had outlives the event: a rewind cannot count twice. */
async function forgetOld({ db }: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { batch: limit, eventsKeptDays: days } = limits;
  const [keys, events, consumptions] = await Promise.all([
    dropExpiredKeys(db, limit),
    dropOldEvents(db, { days, limit }),
    dropOldConsumptions(db, { days: days * 2, limit }),
  ]);
  return keys + events + consumptions;
}

async function counted(
  { log }: RecoveryDeps,
  part: string,
  work: () => Promise<number>,
): Promise<number> {
  try {
    const count = await work();
    if (count > 0) log.info({ part, count }, 'recovered');
    return count;
  } catch (error) {
    // A database that is away is said by /readyz and every request; once a second adds nothing.
    const level = isDatabaseUnavailable(error) ? 'debug' : 'error';
    log[level]({ err: error, part }, 'recovery failed');
    return 0;
  }
}
