/**
 * What Holdfast reads on its own, again and again: the queries of the sweep, of recovery, of pumps, of an
 * hourly reconciliation and of the gauges. None may read more because more orders are finished.
 */
import { DEFAULT_RETENTION, QUOTE_RETENTION_DAYS } from '../../../domain/retention.ts';
import type { Database } from '../../../prisma/client/client.ts';
import { listExpiring } from '../../../prisma/credit/expiry.ts';
import { listStuckJobs, listUnstartedJobs } from '../../../prisma/jobs/job-status.ts';
import { closeStaleDeadLetters, listStuckOrders } from '../../../prisma/orders/stuck-orders.ts';
import { countRetriedOrders, countRetriedSteps } from '../../../prisma/orders/retried-steps.ts';
import { countNeedingAttention } from '../../../prisma/orders/step-attempts.ts';
import { countOpenDeadLetters, reopenStale } from '../../../prisma/events/dead-letters.ts';
import { cursorNow, LOG_START, findHeldLog, readLog } from '../../../prisma/events/event-log.ts';
import { listUnprocessed } from '../../../prisma/events/inbox.ts';
import { listSubscriptions } from '../../../prisma/events/subscriptions.ts';
import { purgeWantedTypes } from '../../../prisma/events/webhook-wanted-types.ts';
import { countOpenDiscrepancies } from '../../../prisma/operations/discrepancies.ts';
import { listMaintenanceAges } from '../../../prisma/operations/maintenance-runs.ts';
import {
  listPaymentRecords,
  listShipmentRecords,
} from '../../../prisma/operations/reconciliation-records.ts';
import { findUnstartedReconciliation } from '../../../prisma/operations/reconciliation-runs.ts';
import {
  purgeConsumedEvents,
  purgeDeadLetters,
  purgeEvents,
  purgeFeedBatches,
  purgeInboxMessages,
  purgeJobs,
  purgeKeys,
  purgeReconciliations,
  purgeQuotes,
  purgeRedrives,
  purgeStepAttempts,
} from '../../../prisma/operations/retention.ts';
import {
  countOpenOrders,
  listOverdue,
  longestOverdueSeconds,
} from '../../../prisma/orders/orders.ts';
import { listWaiting } from '../../../prisma/orders/payment-actions.ts';
import { countOpenCases, listOpenCases } from '../../../prisma/payments/cases.ts';
import { countOpenRefunds } from '../../../prisma/payments/refunds.ts';
import { listStuckRefunds } from '../../../prisma/payments/stuck-refunds.ts';
import { listOutdated, listOutdatedGuests } from '../../../prisma/privacy/outdated.ts';

/** What is read, by the name of its group. */
export type BackgroundReads = Readonly<Record<string, () => Promise<unknown>>>;

const PURGED = 1_000;
const STUCK = { idleMs: 10_000, recheckMs: 45_000, limit: 10 };
/** Of the events that a batch could have. */
const BATCH = 200;
const RARE = ['order.needs_attention'] as const;
/** The window of the hourly reconciliation begins a day back: its last hour is one slice of it. */
const SLICE_MS = 3_600_000;

/** The queries with the arguments that Holdfast calls them with. */
export function backgroundReads(db: Database): BackgroundReads {
  return { ...sweep(db), ...pumps(db), ...reconciliation(db), ...gauges(db) };
}

function sweep(db: Database): BackgroundReads {
  const { keys, events, messages, failures } = DEFAULT_RETENTION;
  const limit = PURGED;
  return {
    'sweep: overdue orders': () => listOverdue(db, { graceMs: 15_000, limit: 100 }),
    'sweep: stuck orders': () => listStuckOrders(db, STUCK),
    'sweep: stuck refunds': () => listStuckRefunds(db, STUCK),
    'sweep: stuck jobs': () => listStuckJobs(db, STUCK),
    'sweep: expiring credit': () => listExpiring(db, { after: null, limit: 100 }),
    'sweep: lost redrives': () => reopenStale(db, { olderThanMs: 900_000, limit: 100 }),
    'sweep: stale dead letters': () => closeStaleDeadLetters(db, 100),
    'sweep: purge keys': () => purgeKeys(db, { days: keys, limit }),
    'sweep: purge events': () => purgeEvents(db, { days: events, limit }),
    'sweep: purge consumed events': () => purgeConsumedEvents(db, { days: events * 2, limit }),
    'sweep: purge messages': () => purgeInboxMessages(db, { days: messages, limit }),
    'sweep: purge dead letters': () => purgeDeadLetters(db, { days: failures, limit }),
    'sweep: purge quotes': () => purgeQuotes(db, { days: QUOTE_RETENTION_DAYS, limit }),
    'sweep: purge jobs': () => purgeJobs(db, { days: failures, limit }),
    'sweep: purge redrives': () => purgeRedrives(db, { days: failures, limit }),
    'sweep: purge step attempts': () => purgeStepAttempts(db, { days: failures, limit }),
    'sweep: purge feed batches': () => purgeFeedBatches(db, { days: messages, limit }),
    'sweep: purge reconciliations': () => purgeReconciliations(db, { days: failures, limit }),
    'sweep: purge wanted types': () => purgeWantedTypes(db),
    'sweep: persons to erase': () => listOutdated(db, { days: 30, limit: 200 }),
    'sweep: guests to erase': () => listOutdatedGuests(db, 200),
    'recovery: callbacks': () =>
      listUnprocessed(db, { source: 'warehouse', olderThanMs: 2_000, limit: 100 }),
    'recovery: payment webhooks': () =>
      listUnprocessed(db, { source: 'payments', olderThanMs: 2_000, limit: 100 }),
    'recovery: payments to confirm': () => listWaiting(db, { recheckMs: 10_000, limit: 100 }),
    'recovery: jobs': () => listUnstartedJobs(db, { olderThanMs: 2_000, limit: 100 }),
    'recovery: reconciliation': () => findUnstartedReconciliation(db, { olderThanMs: 2_000 }),
  };
}

function pumps(db: Database): BackgroundReads {
  return {
    'pump: idle': async () => readLog(db, { after: await cursorNow(db), limit: BATCH }),
    'pump: a batch': () => readLog(db, { after: LOG_START, limit: BATCH }),
    'pump: a batch of some types': () =>
      readLog(db, { after: LOG_START, types: ['order.placed', 'order.shipped'], limit: BATCH }),
    'pump: a batch of a rare type': () =>
      readLog(db, { after: LOG_START, types: RARE, limit: BATCH }),
  };
}

function reconciliation(db: Database): BackgroundReads {
  const slice = () => ({
    from: new Date(Date.now() - SLICE_MS).toISOString(),
    to: new Date().toISOString(),
    after: null,
    limit: 100,
  });
  return {
    'reconciliation: payments': () => listPaymentRecords(db, slice()),
    'reconciliation: cases': () => listOpenCases(db, 1_000),
    'reconciliation: shipments': () => listShipmentRecords(db, slice()),
  };
}

function gauges(db: Database): BackgroundReads {
  return {
    'gauges: dead letters': () => countOpenDeadLetters(db),
    'gauges: orders needing attention': () => countNeedingAttention(db),
    'gauges: orders by status': () => countOpenOrders(db),
    'gauges: overdue orders': () => longestOverdueSeconds(db),
    'gauges: retried steps': () => countRetriedSteps(db),
    'counts: retried orders': () => countRetriedOrders(db),
    'gauges: discrepancies': () => countOpenDiscrepancies(db),
    'gauges: refunds': () => countOpenRefunds(db),
    'gauges: payment cases': () => countOpenCases(db),
    'gauges: maintenance': () => listMaintenanceAges(db),
    'gauges: log held': () => findHeldLog(db),
    'gauges: subscriptions': () => listSubscriptions(db, { limit: 200 }),
  };
}
