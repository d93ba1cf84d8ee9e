/**
 * What must go on without Temporal, and what cannot wait a minute: one pass hands over the callbacks
 * nobody took, judges the payment provider's notices, starts the reconciliation whose start was lost,
 * and ends pending orders the sweep did not come for, so that their holds do not keep stock from
 * others. Each item is safe to repeat, also by two processes at once. (The rest is the sweep's:
 * activities/operations/sweep.ts.)
 */
import type { Logger } from 'pino';
import type { PaymentGateway } from '../gateways/payments.ts';
import type { Database } from '../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../prisma/client/errors.ts';
import { listUnprocessed } from '../prisma/events/inbox.ts';
import { listOverdue } from '../prisma/orders/orders.ts';
import { findUnstartedReconciliation } from '../prisma/operations/reconciliation-runs.ts';
import type { CheckoutClient } from '../temporal/checkout-workflows.ts';
import { expireOrder } from './expire-order.ts';
import { processPaymentWebhooks } from './payment-webhooks.ts';
import { startOpened } from './start-reconciliation.ts';
import { deliverShipmentSignal } from './shipment-callbacks.ts';
import type { ReconciliationClient } from '../temporal/reconciliation-client.ts';

export interface RecoveryDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
  readonly checkouts: CheckoutClient;
  readonly reconciliationClient: ReconciliationClient;
  readonly log: Logger;
}

export interface RecoveryLimits {
  /** Younger callbacks and reconciliations are still in the hands of the request that brought them. */
  readonly olderThanMs: number;
  /** Pending orders this long past their deadline were forgotten by the sweep. */
  readonly expiryGraceMs: number;
  readonly batch: number;
}

export interface RecoveryResult {
  readonly handedOver: number;
  readonly expired: number;
  /** Notices of the payment provider that were judged for good. */
  readonly judged: number;
  /** Reconciliations that were asked for and whose workflow nobody had started. */
  readonly started: number;
}

/** Two sweeps late: then there is no Temporal, or no worker. */
const LIMITS: RecoveryLimits = { olderThanMs: 2_000, expiryGraceMs: 150_000, batch: 100 };
const EVERY_MS = 1_000;
/** One pass. A part that fails is logged and does not keep the others from running. */
export async function runRecovery(
  deps: RecoveryDeps,
  limits: RecoveryLimits = LIMITS,
): Promise<RecoveryResult> {
  const { olderThanMs, batch: limit } = limits;
  const [handedOver, expired, judged, started] = await Promise.all([
    counted(deps, 'hand_over', () => deliverMissedSignals(deps, limits)),
    counted(deps, 'expire', () => expireOverdue(deps, limits)),
    counted(deps, 'judge', () => processPaymentWebhooks(deps, { olderThanMs, limit })),
    counted(deps, 'reconcile', () => startMissedReconciliation(deps, limits)),
  ]);
  return { handedOver, expired, judged, started };
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

async function deliverMissedSignals(deps: RecoveryDeps, limits: RecoveryLimits): Promise<number> {
  const { olderThanMs, batch } = limits;
  const asked = { source: 'warehouse', olderThanMs, limit: batch } as const;
  let handedOver = 0;
  for (const message of await listUnprocessed(deps.db, asked)) {
    if (!(await deliverShipmentSignal(deps, message))) break;
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

/** There is one run at a time, and one that never began keeps every other from running. */
async function startMissedReconciliation(
  deps: RecoveryDeps,
  limits: RecoveryLimits,
): Promise<number> {
  const run = await findUnstartedReconciliation(deps.db, limits);
  return run !== null && (await startOpened(deps, run)) ? 1 : 0;
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
