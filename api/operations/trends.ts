/**
 * The last ten minutes of this process, for the charts of Home: one point per 10 s, from the growth of
 * its histograms within them. Other processes and older times are a metrics server's.
 */
import { setInterval } from 'node:timers/promises';
import type { Registry } from 'prom-client';

/** What a chart shows of 10 s. Null: nothing was observed, or the database did not answer. */
export interface TrendPoint {
  /** The end of the 10 s, ISO 8601. */
  readonly at: string;
  /** Seconds until the response to `POST /v1/orders`. */
  readonly answerP50: number | null;
  readonly answerP99: number | null;
  /** Seconds from placed to shipped, of the orders that this process shipped. */
  readonly shippedP50: number | null;
  readonly shippedP95: number | null;
  /** Seconds that the subscription furthest behind is behind. */
  readonly lag: number | null;
}

export interface Trends {
  /** Oldest first. */
  points(): readonly TrendPoint[];
  /** Adds the point of the time since the last one. */
  sample(at: Date): Promise<void>;
  /** Samples every 10 s until `close`. */
  start(): void;
  close(): void;
}

const EVERY_MS = 10_000;
const MAX_POINTS = 60;

const ANSWERS = {
  name: 'http_request_duration_seconds',
  labels: { method: 'POST', route: '/v1/orders' },
};
const SHIPPED = { name: 'holdfast_placed_to_shipped_seconds', labels: {} };

export function createTrends(registry: Registry): Trends {
  const points: TrendPoint[] = [];
  const stopping = new AbortController();
  const answers = createWindow(registry, ANSWERS);
  const shipped = createWindow(registry, SHIPPED);
  const sample = async (at: Date): Promise<void> => {
    const [answer, ship, lag] = await Promise.all([answers(), shipped(), largestLag(registry)]);
    points.push({
      at: at.toISOString(),
      answerP50: quantile(0.5, answer),
      answerP99: quantile(0.99, answer),
      shippedP50: quantile(0.5, ship),
      shippedP95: quantile(0.95, ship),
      lag,
    });
    if (points.length > MAX_POINTS) points.shift();
  };
  return {
    points: () => points,
    sample,
    start: () => void sampleUntil(stopping.signal, sample),
    close: () => stopping.abort(),
  };
}

async function sampleUntil(signal: AbortSignal, sample: Trends['sample']): Promise<void> {
  try {
    for await (const _ of setInterval(EVERY_MS, undefined, { signal, ref: false })) {
      await sample(new Date());
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Upper bounds of buckets with the observations up to each, ascending. */
type Buckets = readonly (readonly [bound: number, count: number])[];

/** Reads how much a histogram grew since the last read. */
function createWindow(
  registry: Registry,
  of: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
): () => Promise<Buckets> {
  let before = new Map<number, number>();
  return async () => {
    const counts = new Map<number, number>();
    for (const { labels, value } of await metricValues(registry, of.name)) {
      const { le } = labels;
      if (le === undefined) continue;
      if (Object.entries(of.labels).some(([name, wanted]) => labels[name] !== wanted)) continue;
      const bound = le === '+Inf' ? Infinity : Number(le);
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
    const grown = [...counts].map(([bound, n]) => [bound, n - (before.get(bound) ?? 0)] as const);
    before = counts;
    return grown.toSorted(([a], [b]) => a - b);
  };
}

/**
 * The value below which this share of the observations is, as `histogram_quantile` of Prometheus
 * reckons it: evenly spread within a bucket, and in the last one its lower bound. Null without any.
 */
export function quantile(share: number, buckets: Buckets): number | null {
  const [, total = 0] = buckets.at(-1) ?? [];
  if (total === 0) return null;
  const rank = share * total;
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank && count > below) {
      return bound === Infinity
        ? lower
        : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

async function largestLag(registry: Registry): Promise<number | null> {
  const values = await metricValues(registry, 'holdfast_subscription_lag_seconds');
  return values.length === 0 ? null : Math.max(...values.map(({ value }) => value));
}

/** The values of one metric now; none when it is not registered. */
export async function metricValues(registry: Registry, name: string) {
  const found = await registry.getSingleMetric<string>(name)?.get();
  return found?.values ?? [];
}
