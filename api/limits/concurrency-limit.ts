/**
 * Load shedding for one class of requests: how many run at once, how many wait for a permit, and how
 * long. A rejection costs next to nothing, so accepted requests are served at the same rate however
 * many arrive. It knows neither HTTP nor what the requests do.
 */

export interface ConcurrencyLimits {
  readonly maxRunning: number;
  /** How many still run while the event loop is saturated. */
  readonly minRunning: number;
  /** A burst may fill the queue up to this length. */
  readonly maxQueued: number;
  /** A queue that has not been empty for `stalledAfterMs` is overload: then only this many wait. */
  readonly maxStalled: number;
  readonly stalledAfterMs: number;
  /** A request that has waited this long is rejected, and one that would have to is, at once. */
  readonly maxWaitMs: number;
}

export type Rejection =
  'queue_full' | 'deadline' | 'client_closed' | 'database_unavailable' | 'stopping';

/** The right to run. A second `release` does nothing. */
export interface Permit {
  release(): void;
}

export interface LimiterView {
  readonly running: number;
  readonly queued: number;
  /** Since the process started, by reason. */
  readonly rejected: Readonly<Record<Rejection, number>>;
}

export interface LimiterGauges {
  /** Share of time the event loop was busy since the last sample; null when that is too recent. */
  readonly utilization?: () => number | null;
  /** A monotonic clock, in milliseconds. */
  readonly nowMs?: () => number;
}

type Settle = (result: Permit | Rejection) => void;

export class ConcurrencyLimiter {
  readonly #limits: ConcurrencyLimits;
  readonly #nowMs: () => number;
  readonly #runningLimit: () => number;
  readonly #queue = new Set<Settle>();
  readonly #rejected = {
    queue_full: 0,
    deadline: 0,
    client_closed: 0,
    database_unavailable: 0,
    stopping: 0,
  };
  #running = 0;
  #closed = false;
  #lastEmptyMs: number;
  #countedSinceMs: number;
  #released = 0;
  #rejectedMeanwhile = 0;
  #retryAfterMs = LEAST_RETRY_MS;
  /** Requests served within most of `maxWaitMs`; unbounded while the pace is unknown. */
  #servedInTime = Infinity;

  /** `gauges` are the process's own unless a test replaces them. */
  constructor(limits: ConcurrencyLimits, gauges: LimiterGauges = {}) {
    const { utilization = createLoopSampler(), nowMs = () => performance.now() } = gauges;
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#runningLimit = createRunningLimit(limits, utilization);
    this.#lastEmptyMs = this.#countedSinceMs = nowMs();
  }

  /** Resolves at once when a permit is free or the queue is full, else after a wait. Never rejects. */
  async acquire(signal: AbortSignal): Promise<Permit | Rejection> {
    if (signal.aborted) return this.#reject('client_closed');
    if (this.#closed) return this.#reject('stopping');
    const { size } = this.#queue;
    if (size === 0 && this.#running < this.#runningLimit()) return this.#admit();
    if (size < this.#queueLimit()) return this.#waitInQueue(signal);
    this.#rejectedMeanwhile += 1;
    return this.#reject('queue_full');
  }

  /**
   * After how long a rejected request should be repeated, on average, in milliseconds: then as many come
   * back as are served. At least 2 s, and at most 10 s: a shopper waits.
   */
  retryAfterMs(): number {
    return this.#retryAfterMs;
  }

  /** Rejects the requests that wait now. */
  rejectQueue(reason: Rejection): void {
    for (const settle of this.#queue) settle(this.#reject(reason));
  }

  /** Rejects the queue and all later requests; running ones finish. */
  close(): void {
    this.#closed = true;
    this.rejectQueue('stopping');
  }

  view(): LimiterView {
    return {
      running: this.#running,
      queued: this.#queue.size,
      rejected: { ...this.#rejected },
    };
  }

  #reject(reason: Rejection): Rejection {
    this.#rejected[reason] += 1;
    return reason;
  }

  #admit(): Permit {
    this.#running += 1;
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#running -= 1;
        this.#released += 1;
        this.#admitQueued();
      },
    };
  }

  #admitQueued(): void {
    for (const settle of this.#queue) {
      if (this.#running >= this.#runningLimit()) return;
      settle(this.#admit());
    }
  }

  /** Shrinks evenly from `maxQueued` to `maxStalled` while the queue does not become empty. */
  #queueLimit(): number {
    const { maxQueued, maxStalled, stalledAfterMs } = this.#limits;
    const nowMs = this.#nowMs();
    if (this.#queue.size === 0) {
      this.#lastEmptyMs = nowMs;
      this.#retryAfterMs = LEAST_RETRY_MS;
      this.#startCounting(nowMs, Infinity);
    }
    const stalledShare = Math.min(1, (nowMs - this.#lastEmptyMs) / stalledAfterMs);
    const length = maxQueued - (maxQueued - maxStalled) * stalledShare;
    return Math.min(length, this.#measurePace(nowMs));
  }

  #measurePace(nowMs: number): number {
    const countedMs = nowMs - this.#countedSinceMs;
    if (countedMs >= PACE_OVER_MS) {
      const perMs = this.#released / countedMs;
      // Little's law: as many clients wait to retry as are rejected during one such delay.
      const servedAllMs =
        (this.#rejectedMeanwhile * this.#retryAfterMs) / Math.max(1, this.#released);
      this.#retryAfterMs = Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, servedAllMs));
      this.#startCounting(nowMs, perMs * this.#limits.maxWaitMs * SAFE_SHARE);
    }
    return this.#servedInTime;
  }

  #startCounting(nowMs: number, servedInTime: number): void {
    this.#countedSinceMs = nowMs;
    this.#released = this.#rejectedMeanwhile = 0;
    this.#servedInTime = servedInTime;
  }

  #waitInQueue(signal: AbortSignal): Promise<Permit | Rejection> {
    return new Promise((resolve) => {
      const settle: Settle = (result) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#queue.delete(settle);
        resolve(result);
      };
      const onAbort = (): void => settle(this.#reject('client_closed'));
      const timer = setTimeout(() => settle(this.#reject('deadline')), this.#limits.maxWaitMs);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(settle);
    });
  }
}

/** Long enough that a process that has just started serves some requests. */
const PACE_OVER_MS = 3_000;
const LEAST_RETRY_MS = 2_000;
const MOST_RETRY_MS = 10_000;
/** Of the maximum wait; the rest is for a pace that drops during the wait. */
const SAFE_SHARE = 0.8;

const SAMPLE_MS = 250;
/** Above this, more requests at once only make each slower, until their deadlines pass. */
const SATURATED = 0.98;
const RELAXED = 0.9;

/** A slow provider leaves the event loop idle; then running more requests at once is right. */
function createRunningLimit(
  { minRunning, maxRunning }: ConcurrencyLimits,
  utilization: () => number | null,
): () => number {
  let limit = maxRunning;
  return () => {
    const busy = utilization();
    if (busy === null) return limit;
    if (busy > SATURATED) limit = Math.max(minRunning, Math.floor(limit * 0.75));
    if (busy < RELAXED) limit = Math.min(maxRunning, limit + minRunning);
    return limit;
  };
}

function createLoopSampler(): () => number | null {
  let last = performance.eventLoopUtilization();
  return () => {
    const { idle, active, utilization } = performance.eventLoopUtilization(last);
    if (idle + active < SAMPLE_MS) return null;
    last = performance.eventLoopUtilization();
    return utilization;
  };
}
