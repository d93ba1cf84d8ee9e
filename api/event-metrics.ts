/** Gauges read when they are asked for: how far subscriptions are behind, dead letters, streams. */
import { Gauge, type Registry } from 'prom-client';
import { countNeedingAttention } from '../prisma/attention.ts';
import type { Database } from '../prisma/client.ts';
import { countOpenDeadLetters } from '../prisma/dead-letters.ts';
import { isDatabaseUnavailable } from '../prisma/errors.ts';
import { logHeldSeconds } from '../prisma/event-log.ts';
import { countOpenDifferences } from '../prisma/reconciliation.ts';
import { listUpkeepAges } from '../prisma/upkeep.ts';
import { listSubscriptions } from '../prisma/subscriptions.ts';
import type { EventStreams } from './event-streams.ts';

/** More label values than this help nobody; the API has them all. */
const MAX_SUBSCRIPTIONS = 200;

export function registerEventMetrics(
  registry: Registry,
  deps: { readonly db: Database; readonly streams: Readonly<Record<string, EventStreams>> },
): void {
  const subscriptions = askOnce(() => listSubscriptions(deps.db, { limit: MAX_SUBSCRIPTIONS }));
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
  registerGauge(
    registry,
    { name: 'holdfast_dead_letters_open', help: 'Dead letters nobody decided.', label: 'source' },
    async () => Object.entries(await countOpenDeadLetters(deps.db)),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_log_held_seconds',
      help: 'How long an event has been committed and cannot be read: an open transaction holds it.',
    },
    async () => [['', await logHeldSeconds(deps.db)]],
  );
  registerUpkeepGauges(registry, deps.db);
  registerGauge(
    registry,
    { name: 'holdfast_event_streams', help: 'Open streams.', label: 'kind' },
    async () => Object.entries(deps.streams).map(([kind, { count }]) => [kind, count()] as const),
  );
}

function registerUpkeepGauges(registry: Registry, db: Database): void {
  registerGauge(
    registry,
    {
      name: 'holdfast_orders_needing_attention',
      help: 'Orders that wait for a person.',
      label: 'step',
    },
    async () =>
      (await countNeedingAttention(db)).map(({ step, orders }) => [step, orders] as const),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_differences_open',
      help: "Where our books and a provider's differ.",
      label: 'kind',
    },
    async () => (await countOpenDifferences(db)).map(({ kind, count }) => [kind, count] as const),
  );
  registerGauge(
    registry,
    {
      name: 'holdfast_upkeep_age_seconds',
      help: 'Since the last run that came to its end.',
      label: 'name',
    },
    async () => (await listUpkeepAges(db)).map(({ name, seconds }) => [name, seconds] as const),
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
      this.reset();
      try {
        for (const [each, value] of await read()) {
          this.set(label === undefined ? {} : { [label]: each }, value);
        }
      } catch (error) {
        // Without the database these numbers are missing; the others are still worth having.
        if (!isDatabaseUnavailable(error)) throw error;
      }
    },
  });
  registry.registerMetric(gauge);
}

/** Several gauges of one scrape share one query. */
function askOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | null = null;
  return () => {
    underWay ??= ask().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}
