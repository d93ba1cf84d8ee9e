/** Gauges read when they are asked for: how far subscriptions are behind, dead letters, streams. */
import { Gauge, type Registry } from 'prom-client';
import { countNeedingAttention } from '../../prisma/orders/step-attempts.ts';
import type { Database } from '../../prisma/client/client.ts';
import { countOpenDeadLetters } from '../../prisma/events/dead-letters.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { logHeldSeconds } from '../../prisma/events/event-log.ts';
import { countOpenDiscrepancies } from '../../prisma/operations/discrepancies.ts';
import { listMaintenanceAges } from '../../prisma/operations/maintenance-runs.ts';
import { listSubscriptions } from '../../prisma/events/subscriptions.ts';
import type { EventStreams } from '../http/sse.ts';

/** More label values than this help nobody; the API has them all. */
const MAX_SUBSCRIPTIONS = 200;
/** `/metrics` needs no key, and some of its queries read much: however many scrape, one of each. */
const KEPT_MS = 1_000;

export interface EventMetricsDeps {
  readonly db: Database;
  readonly streams: Readonly<Record<string, EventStreams>>;
  /** Milliseconds of a clock that never goes back; the process's own unless a test says otherwise. */
  readonly nowMs?: () => number;
}

export function registerEventMetrics(registry: Registry, deps: EventMetricsDeps): void {
  const { nowMs = () => performance.now() } = deps;
  const ask = <T>(query: (db: Database) => Promise<T>) => singleFlight(() => query(deps.db), nowMs);
  registerSubscriptionGauges(registry, ask);
  registerGauge(
    registry,
    { name: 'holdfast_dead_letters_open', help: 'Dead letters nobody decided.', label: 'source' },
    ask(async (db) => Object.entries(await countOpenDeadLetters(db))),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_log_held_seconds',
      help: 'How long an event has been committed and cannot be read: an open transaction holds it.',
    },
    ask(async (db) => [['', await logHeldSeconds(db)]]),
  );
  registerUpkeepGauges(registry, ask);
  registerGauge(
    registry,
    { name: 'holdfast_event_streams', help: 'Open streams.', label: 'kind' },
    async () => Object.entries(deps.streams).map(([kind, { count }]) => [kind, count()] as const),
  );
}

/** Makes a question to the database one that is shared. */
type Ask = <T>(query: (db: Database) => Promise<T>) => () => Promise<T>;

function registerSubscriptionGauges(registry: Registry, ask: Ask): void {
  const subscriptions = ask((db) => listSubscriptions(db, { limit: MAX_SUBSCRIPTIONS }));
  const gauge = (name: string, help: string, value: (of: Subscription) => number): void => {
    registerGauge(registry, { name, help, label: 'subscription' }, async () =>
      (await subscriptions()).map((each) => [each.name, value(each)] as const),
    );
  };
  gauge(
    'holdfast_subscription_lag_seconds',
    'Age of the oldest event not handed over yet.',
    ({ lagSeconds }) => lagSeconds,
  );
  gauge(
    'holdfast_subscription_behind',
    'Events not handed over yet, counted up to 10,000.',
    ({ behind }) => behind,
  );
  gauge('holdfast_subscription_paused', '1 while it is paused.', ({ paused }) => Number(paused));
}

function registerUpkeepGauges(registry: Registry, ask: Ask): void {
  registerGauge(
    registry,
    {
      name: 'holdfast_orders_needing_attention',
      help: 'Orders that wait for a person.',
      label: 'step',
    },
    ask(async (db) =>
      (await countNeedingAttention(db)).map(({ step, orders }) => [step, orders] as const),
    ),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_discrepancies_open',
      help: "Where our books and a provider's differ.",
      label: 'kind',
    },
    ask(async (db) =>
      (await countOpenDiscrepancies(db)).map(({ kind, count }) => [kind, count] as const),
    ),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_maintenance_age_seconds',
      help: 'Since the last run that came to its end.',
      label: 'name',
    },
    ask(async (db) =>
      (await listMaintenanceAges(db)).map(({ name, seconds }) => [name, seconds] as const),
    ),
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
        // Without the database these numbers are missing; the others are still worth having.
        if (isDatabaseUnavailable(error)) return [];
        throw error;
      });
      // At one go: another scrape may be reading.
      this.reset();
      for (const [each, value] of values) {
        this.set(label === undefined ? {} : { [label]: each }, value);
      }
    },
  });
  registry.registerMetric(gauge);
}

/** Who asks while the query runs, or within a second of its end, gets what it found or met. */
function singleFlight<T>(ask: () => Promise<T>, nowMs: () => number): () => Promise<T> {
  let storedPayload: { readonly found: Promise<T>; untilMs: number } | null = null;
  return () => {
    if (storedPayload !== null && nowMs() < storedPayload.untilMs) return storedPayload.found;
    const found = ask();
    const asked = { found, untilMs: Infinity };
    const keep = (): void => {
      asked.untilMs = nowMs() + KEPT_MS;
    };
    found.then(keep, keep);
    storedPayload = asked;
    return found;
  };
}
