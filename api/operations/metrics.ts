/** The API's own numbers, in a registry of its own. Labels are bounded: patterns, never paths. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BreakerView } from '../../gateways/resilience/outcome.ts';
import { connectionsOf, type Database } from '../../prisma/client/client.ts';
import type { Admission } from '../limits/concurrency-limit.ts';

export interface Metrics {
  readonly registry: Registry;
  observeRequest(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** `outcome`: `placed`, or the code of the problem that was answered. */
  countOrder(outcome: string): void;
}

/** Around the budget of the synchronous path: 300 ms. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30];
const BREAKER_VALUES = { closed: 0, half_open: 1, open: 2 } as const;

export function createMetrics(watched: {
  readonly breakers: () => readonly BreakerView[];
  /** By kind of request. */
  readonly admissions: Readonly<Record<string, Admission>>;
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
    help: 'Answers to POST /v1/orders by outcome.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  registerBreakers(registry, watched.breakers);
  registerAdmissions(registry, watched.admissions);
  return {
    registry,
    observeRequest: ({ method, route, status, seconds }) =>
      requests.observe({ method, route, status: String(status) }, seconds),
    countOrder: (outcome) => orders.inc({ outcome }),
  };
}

/** Connections to PostgreSQL by pool: a pool that stays full is the next outage. */
export function registerConnections(
  registry: Registry,
  databases: Readonly<Record<string, Database>>,
): void {
  const labelNames = ['pool'] as const;
  const views = () =>
    Object.entries(databases).map(([pool, db]) => ({ pool, ...connectionsOf(db) }));
  const inUse = new Gauge({
    name: 'holdfast_database_connections_in_use',
    help: 'Connections to PostgreSQL that work holds.',
    labelNames,
    registers: [registry],
    collect() {
      for (const view of views()) inUse.set({ pool: view.pool }, view.inUse);
    },
  });
  const queued = new Gauge({
    name: 'holdfast_database_connections_waiting',
    help: 'Work that waits for a connection.',
    labelNames,
    registers: [registry],
    collect() {
      for (const view of views()) queued.set({ pool: view.pool }, view.queued);
    },
  });
}

function registerBreakers(registry: Registry, breakers: () => readonly BreakerView[]): void {
  const state = new Gauge({
    name: 'holdfast_breaker_state',
    help: 'Circuit breakers: 0 closed, 1 half open, 2 open.',
    labelNames: ['breaker'] as const,
    registers: [registry],
    collect() {
      for (const each of breakers()) {
        state.set({ breaker: each.name }, BREAKER_VALUES[each.state]);
      }
    },
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

function registerAdmissions(
  registry: Registry,
  admissions: Readonly<Record<string, Admission>>,
): void {
  const labelNames = ['kind'] as const;
  const views = () => Object.entries(admissions).map(([kind, each]) => ({ kind, ...each.view() }));
  const running = new Gauge({
    name: 'holdfast_admission_running',
    help: 'Requests being worked on.',
    labelNames,
    registers: [registry],
    collect() {
      for (const view of views()) running.set({ kind: view.kind }, view.running);
    },
  });
  const waiting = new Gauge({
    name: 'holdfast_admission_waiting',
    help: 'Requests in line.',
    labelNames,
    registers: [registry],
    collect() {
      for (const view of views()) waiting.set({ kind: view.kind }, view.waiting);
    },
  });
  const refused = new Counter({
    name: 'holdfast_admission_refused_total',
    help: 'Requests turned away before their body was read, by reason.',
    labelNames: ['kind', 'reason'] as const,
    registers: [registry],
    collect() {
      refused.reset();
      for (const { kind, refused: counts } of views()) {
        for (const [reason, count] of Object.entries(counts)) refused.inc({ kind, reason }, count);
      }
    },
  });
}
