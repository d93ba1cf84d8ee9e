/** Gauges that are read on scrape: orders, steps, subscription lag, dead letters, maintenance, streams. */
import { Gauge, type Registry } from 'prom-client';
import { countOpenOrders, longestOverdueSeconds } from '../../prisma/orders/orders.ts';
import { countOpenRefunds } from '../../prisma/payments/refunds.ts';
import { countRetriedSteps } from '../../prisma/orders/retried-steps.ts';
import { countNeedingAttention } from '../../prisma/orders/step-attempts.ts';
import type { Database } from '../../prisma/client/client.ts';
import { countOpenDeadLetters } from '../../prisma/events/dead-letters.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { itemFailures } from '../../telemetry/items.ts';
import { findHeldLog } from '../../prisma/events/event-log.ts';
import { countOpenDiscrepancies } from '../../prisma/operations/discrepancies.ts';
import { countOpenCases } from '../../prisma/payments/cases.ts';
import { listMaintenanceAges } from '../../prisma/operations/maintenance-runs.ts';
import { listSubscriptions } from '../../prisma/events/subscriptions.ts';
import type { EventStreams } from '../http/sse.ts';

/** Bounds the label values. The API lists all subscriptions. */
const MAX_SUBSCRIPTIONS = 200;
/** `/metrics` is public and its queries are expensive, so concurrent scrapes share one result. */
const CACHE_MS = 1_000;

export interface EventMetricsDeps {
  readonly db: Database;
  readonly streams: Readonly<Record<string, EventStreams>>;
  /** A monotonic clock in milliseconds, for tests. */
  readonly nowMs?: () => number;
}

export function registerEventMetrics(registry: Registry, deps: EventMetricsDeps): void {
  const { nowMs = () => performance.now() } = deps;
  const shared: SharedQuery = (query) => singleFlight(() => query(deps.db), nowMs);
  registerSubscriptionGauges(registry, shared);
  registerGauge(
    registry,
    { name: 'holdfast_dead_letters_open', help: 'Open dead letters.', label: 'source' },
    shared(async (db) => Object.entries(await countOpenDeadLetters(db))),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_log_held_seconds',
      help: 'How long the oldest committed event has been unreadable because of an open transaction.',
    },
    shared(async (db) => [['', (await findHeldLog(db)).seconds]]),
  );
  registerOpenOrders(registry, shared);
  registerOrderGauges(registry, shared);
  registerOperationGauges(registry, shared);
  registerCaseGauges(registry, shared);
  registerGauge(
    registry,
    { name: 'holdfast_event_streams', help: 'Open streams.', label: 'kind' },
    async () => Object.entries(deps.streams).map(([kind, { count }]) => [kind, count()] as const),
  );
}

/** Turns a query into one whose result concurrent scrapes share. */
type SharedQuery = <T>(query: (db: Database) => Promise<T>) => () => Promise<T>;

function registerSubscriptionGauges(registry: Registry, shared: SharedQuery): void {
  const subscriptions = shared((db) => listSubscriptions(db, { limit: MAX_SUBSCRIPTIONS }));
  const gauge = (name: string, help: string, value: (of: Subscription) => number): void => {
    registerGauge(registry, { name, help, label: 'subscription' }, async () =>
      (await subscriptions()).map((each) => [each.name, value(each)] as const),
    );
  };
  gauge(
    'holdfast_subscription_lag_seconds',
    'Age of the oldest undelivered event.',
    ({ lagSeconds }) => lagSeconds,
  );
  gauge(
    'holdfast_subscription_behind',
    'Undelivered events, of the next 10,000 in the log.',
    ({ behind }) => behind,
  );
  gauge('holdfast_subscription_paused', '1 while the subscription is paused.', ({ paused }) =>
    Number(paused),
  );
}

function registerOpenOrders(registry: Registry, shared: SharedQuery): void {
  const open = shared(countOpenOrders);
  registerGauge(
    registry,
    {
      name: 'holdfast_orders',
      help: 'Orders that still move or wait for an operator.',
      label: 'status',
    },
    async () => (await open()).map(({ status, orders }) => [status, orders] as const),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_oldest_order_seconds',
      help: 'Age of the oldest of these orders; 0 when there is none.',
      label: 'status',
    },
    async () => (await open()).map(({ status, oldestSeconds }) => [status, oldestSeconds] as const),
  );
}

function registerOrderGauges(registry: Registry, shared: SharedQuery): void {
  registerGauge(
    registry,
    {
      name: 'holdfast_orders_needing_attention',
      help: 'Orders that wait for an operator.',
      label: 'step',
    },
    shared(async (db) =>
      (await countNeedingAttention(db)).map(({ step, orders }) => [step, orders] as const),
    ),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_longest_overdue_seconds',
      help: 'How long the pending order that is longest past its deadline is past it; 0 when none is.',
    },
    shared(async (db) => [['', await longestOverdueSeconds(db)]]),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_refunds',
      help: 'Refunds that are not settled. The payment provider may be unsure of one for 30 days.',
      label: 'status',
    },
    shared(async (db) => Object.entries(await countOpenRefunds(db))),
  );
  const retried = shared(countRetriedSteps);
  registerGauge(
    registry,
    {
      name: 'holdfast_steps_retrying',
      help: 'Steps of orders and refunds that failed and are being retried.',
      label: 'step',
    },
    async () => (await retried()).map(({ step, count }) => [step, count] as const),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_oldest_retry_seconds',
      help: 'How long the longest failing of these steps has failed; 0 when none does.',
    },
    async () => [['', Math.max(0, ...(await retried()).map(({ oldestSeconds }) => oldestSeconds))]],
  );
}

function registerOperationGauges(registry: Registry, shared: SharedQuery): void {
  registerGauge(
    registry,
    {
      name: 'holdfast_discrepancies_open',
      help: "Open discrepancies between our records and the providers'.",
      label: 'kind',
    },
    shared(async (db) =>
      (await countOpenDiscrepancies(db)).map(({ kind, count }) => [kind, count] as const),
    ),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_maintenance_age_seconds',
      help: 'Time since the last completed run.',
      label: 'name',
    },
    shared(async (db) =>
      (await listMaintenanceAges(db)).map(({ name, seconds }) => [name, seconds] as const),
    ),
  );
}

function registerCaseGauges(registry: Registry, shared: SharedQuery): void {
  const open = shared(countOpenCases);
  registerGauge(
    registry,
    {
      name: 'holdfast_payment_cases_open',
      help: 'Open disputes, fraud warnings and reviews of payments.',
      label: 'kind',
    },
    async () => Object.entries((await open()).byKind),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_dispute_response_due_seconds',
      help: 'Until the first time that the shop has to respond to a dispute; absent when there is none.',
    },
    async () => {
      const { respondWithinSeconds: seconds } = await open();
      return seconds === null ? [] : [['', seconds]];
    },
  );
}

type Subscription = Awaited<ReturnType<typeof listSubscriptions>>[number];

function registerGauge(
  registry: Registry,
  { name, help, label }: { readonly name: string; readonly help: string; readonly label?: string },
  read: () => Promise<readonly (readonly [string, number])[]>,
): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [],
    async collect() {
      const values = await read().catch((error: unknown) => {
        // Values that cannot be read are omitted; the others are still useful.
        if (!isDatabaseUnavailable(error)) itemFailures.inc({ loop: 'metrics' });
        return [];
      });
      // Reset and set without an await in between, because another scrape may be reading.
      this.reset();
      for (const [each, value] of values) {
        this.set(label === undefined ? {} : { [label]: each }, value);
      }
    },
  });
  registry.registerMetric(gauge);
}

/** Concurrent callers, and callers within a second, share one result or error. */
function singleFlight<T>(query: () => Promise<T>, nowMs: () => number): () => Promise<T> {
  let cached: { readonly result: Promise<T>; untilMs: number } | null = null;
  return () => {
    if (cached !== null && nowMs() < cached.untilMs) return cached.result;
    const current = { result: query(), untilMs: Infinity };
    const startExpiry = (): void => {
      current.untilMs = nowMs() + CACHE_MS;
    };
    current.result.then(startExpiry, startExpiry);
    cached = current;
    return current.result;
  };
}
