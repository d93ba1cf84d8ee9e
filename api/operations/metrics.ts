/** The API's metrics. Labels are bounded: route patterns, never paths. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { itemFailures } from '../../telemetry/items.ts';
import { settledActions } from '../../telemetry/payment-actions.ts';
import { ignoredCases } from '../../telemetry/payment-cases.ts';
import { placedToShipped } from '../../telemetry/placed-to-shipped.ts';
import type { BreakerView } from '../../gateways/resilience/outcome.ts';
import { connectionsOf, type Database } from '../../prisma/client/client.ts';
import type { ConcurrencyLimiter } from '../limits/concurrency-limit.ts';

export interface Metrics {
  readonly registry: Registry;
  observeRequest(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** `outcome`: `placed`, `payment_action_required`, or the code of the problem. */
  countOrder(outcome: string): void;
  /** A genuine message of a provider was stored that is not understood. */
  countNotUnderstood(source: MessageSource): void;
}

/** Finer around 300 ms, the latency target of the synchronous path. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30];
const BREAKER_VALUES = { closed: 0, half_open: 1, open: 2 } as const;

export function createMetrics(watched: {
  readonly breakers: () => readonly BreakerView[];
  /** By request class. */
  readonly limiters: Readonly<Record<string, ConcurrencyLimiter>>;
}): Metrics {
  const registry = new Registry();
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of the handler.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const orders = new Counter({
    name: 'holdfast_order_requests_total',
    help: 'Responses to POST /v1/orders by outcome.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  registry.registerMetric(itemFailures);
  registry.registerMetric(placedToShipped);
  registry.registerMetric(settledActions);
  registry.registerMetric(ignoredCases);
  registerBreakers(registry, watched.breakers);
  registerLimiters(registry, watched.limiters);
  const notUnderstood = registerNotUnderstood(registry, watched.breakers);
  return {
    registry,
    observeRequest: ({ method, route, status, seconds }) =>
      requests.observe({ method, route, status: String(status) }, seconds),
    countOrder: (outcome) => orders.inc({ outcome }),
    countNotUnderstood: (source) => notUnderstood.inc({ source }),
  };
}

/** Connections to PostgreSQL by pool. A pool that stays full warns of an outage. */
export function registerConnections(
  registry: Registry,
  databases: Readonly<Record<string, Database>>,
): void {
  const views = () =>
    Object.entries(databases).map(([pool, db]) => ({ pool, ...connectionsOf(db) }));
  registerGauge(registry, {
    name: 'holdfast_database_connections_in_use',
    help: 'Connections to PostgreSQL in use.',
    label: 'pool',
    values: () => views().map(({ pool, inUse }) => [pool, inUse]),
  });
  registerGauge(registry, {
    name: 'holdfast_database_connections_waiting',
    help: 'Queries and transactions that wait for a connection.',
    label: 'pool',
    values: () => views().map(({ pool, queued }) => [pool, queued]),
  });
}

function registerBreakers(registry: Registry, breakers: () => readonly BreakerView[]): void {
  registerGauge(registry, {
    name: 'holdfast_breaker_state',
    help: 'Circuit breakers: 0 closed, 1 half open, 2 open.',
    label: 'breaker',
    values: () => breakers().map(({ name, state }) => [name, BREAKER_VALUES[state]]),
  });
  const transitions = new Counter({
    name: 'holdfast_breaker_transitions_total',
    help: 'How often a circuit breaker entered a state.',
    labelNames: ['breaker', 'state'] as const,
    registers: [registry],
    collect() {
      transitions.reset();
      for (const { name: breaker, entered } of breakers()) {
        for (const [to, times] of Object.entries(entered)) {
          transitions.inc({ breaker, state: to }, times);
        }
      }
    },
  });
}

const MESSAGE_SOURCES = ['warehouse', 'payments'] as const;
type MessageSource = (typeof MESSAGE_SOURCES)[number];

function registerNotUnderstood(registry: Registry, views: () => readonly BreakerView[]): Counter {
  const answers = new Counter({
    name: 'holdfast_answers_not_understood_total',
    help: 'Answers of a provider that are outside of its contract, by group of calls.',
    labelNames: ['call'] as const,
    registers: [registry],
    collect() {
      answers.reset();
      for (const { name: call, notUnderstood } of views()) answers.inc({ call }, notUnderstood);
    },
  });
  const messages = new Counter({
    name: 'holdfast_messages_not_understood_total',
    help: 'Genuine messages of a provider that are not understood, by source.',
    labelNames: ['source'] as const,
    registers: [registry],
  });
  // A series that is born with its first message shows no increase.
  for (const source of MESSAGE_SOURCES) messages.inc({ source }, 0);
  return messages;
}

function registerLimiters(
  registry: Registry,
  limiters: Readonly<Record<string, ConcurrencyLimiter>>,
): void {
  const views = () => Object.entries(limiters).map(([name, each]) => ({ name, ...each.view() }));
  registerGauge(registry, {
    name: 'holdfast_requests_running',
    help: 'Requests that hold a permit, by request class.',
    label: 'class',
    values: () => views().map(({ name, running }) => [name, running]),
  });
  registerGauge(registry, {
    name: 'holdfast_requests_queued',
    help: 'Requests that wait for a permit, by request class.',
    label: 'class',
    values: () => views().map(({ name, queued }) => [name, queued]),
  });
  const rejected = new Counter({
    name: 'holdfast_requests_rejected_total',
    help: 'Requests rejected before their body was read, by request class and reason.',
    labelNames: ['class', 'reason'] as const,
    registers: [registry],
    collect() {
      rejected.reset();
      for (const { name, rejected: counts } of views()) {
        for (const [reason, count] of Object.entries(counts)) {
          rejected.inc({ class: name, reason }, count);
        }
      }
    },
  });
}

/** A gauge whose values are read when they are collected, one per value of its label. */
function registerGauge(
  registry: Registry,
  gauge: {
    readonly name: string;
    readonly help: string;
    readonly label: string;
    readonly values: () => readonly (readonly [string, number])[];
  },
): void {
  const { name, help, label, values } = gauge;
  const registered = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      for (const [key, value] of values()) registered.set({ [label]: key }, value);
    },
  });
}
