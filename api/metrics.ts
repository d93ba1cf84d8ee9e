/** The API's own numbers, in a registry of its own. Labels are bounded: patterns, never paths. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BreakerView } from '../gateways/outcome.ts';

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

export function createMetrics(breakers: () => readonly BreakerView[]): Metrics {
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
  registry.registerMetric(
    new Gauge({
      name: 'holdfast_breaker_state',
      help: 'Circuit breakers: 0 closed, 1 half open, 2 open.',
      labelNames: ['breaker'] as const,
      registers: [],
      collect() {
        for (const { name, state } of breakers()) {
          this.set({ breaker: name }, BREAKER_VALUES[state]);
        }
      },
    }),
  );
  return {
    registry,
    observeRequest: ({ method, route, status, seconds }) =>
      requests.observe({ method, route, status: String(status) }, seconds),
    countOrder: (outcome) => orders.inc({ outcome }),
  };
}
