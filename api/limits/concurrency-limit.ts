/**
 * Load shedding: how many requests of one kind run at once, how many stand in line, and who is turned
 * away at the door. Turning away costs next to nothing, so what is admitted is answered at the same
 * rate however many come. It knows neither HTTP nor what the requests do.
 */
import { createLineLimit, type LineLimits } from './queue-limit.ts';

/** The limits of one kind of request. Values with their reasons: ADMISSION_LIMITS. */
export interface AdmissionLimits extends LineLimits {
  readonly maxRunning: number;
  /** However busy the process is, so many still run. */
  readonly minRunning: number;
}

/** The one table of how much work the API takes on. */
export const ADMISSION_LIMITS = {
  /**
   * 64 at once is what the payment guard lets through, and 256 a second at 250 ms each: more than one
   * process can do. 256 in line: a rush of 320 clicks at once is served, within seconds. But a line
   * that stands for 8 s is overload: then 64 wait, so that a shopper's wait stays at some seconds, and
   * fifty who come again and again are still all served by a process that has just begun and is slow.
   */
  checkout: {
    maxRunning: 64,
    minRunning: 8,
    maxWaiting: 256,
    maxStanding: 64,
    standingAfterMs: 8_000,
    maxWaitMs: 10_000,
  },
  /** Reads and what our own database answers: short. */
  other: {
    maxRunning: 64,
    minRunning: 8,
    maxWaiting: 256,
    maxStanding: 64,
    standingAfterMs: 1_000,
    maxWaitMs: 2_000,
  },
  /**
   * Calls that wait for a workflow or a receiver: up to 15 s each, so seven a second would fill any door
   * while no worker runs, and nobody else may stand behind them. 16 at once are hundreds a second
   * while all is well; while it is not, more would only wait for the same nothing.
   */
  slow: {
    maxRunning: 16,
    minRunning: 4,
    maxWaiting: 64,
    maxStanding: 16,
    standingAfterMs: 1_000,
    maxWaitMs: 2_000,
  },
} satisfies Record<string, AdmissionLimits>;

export type Refusal = 'overloaded' | 'database_unavailable' | 'gone' | 'stopping';

export type Entry = { readonly kind: 'admitted'; readonly pass: Pass } | { readonly kind: Refusal };

/** The right to run, to be given back once with what came of it. */
export interface Pass {
  leave(outcome: 'done' | 'database_unavailable'): void;
}

export interface AdmissionView {
  readonly running: number;
  readonly waiting: number;
  /** Since the process began, by reason. */
  readonly refused: Readonly<Record<Refusal, number>>;
}

export interface Admission {
  /** Resolves at once when there is room or none at all, else when its turn has come. Never rejects. */
  enter(signal: AbortSignal): Promise<Entry>;
  /** Turns away those in line and whoever comes from now on; who runs goes on. */
  close(): void;
  view(): AdmissionView;
}

type Settle = (entry: Entry) => void;

/** What it measures by; the process's own unless a test says otherwise. */
export interface AdmissionGauges {
  readonly busyness?: Busyness;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs?: () => number;
}

/** A door with its line. Each kind of request has one of its own, for as long as the process lives. */
export function createAdmission(
  limits: AdmissionLimits,
  { busyness = createBusyness(), nowMs = () => performance.now() }: AdmissionGauges = {},
): Admission {
  const line = new Set<Settle>();
  const lineLimit = createLineLimit(limits, nowMs);
  const refused = { overloaded: 0, database_unavailable: 0, gone: 0, stopping: 0 };
  const limitRunning = createRunningLimit(limits, busyness);
  let running = 0;
  let closed = false;

  const refuse = (kind: Refusal): Entry => {
    refused[kind] += 1;
    return { kind };
  };
  const admit = (): Entry => {
    running += 1;
    let left = false;
    const leave: Pass['leave'] = (outcome) => {
      if (left) return;
      left = true;
      running -= 1;
      lineLimit.served();
      // Those in line would find no database either, one after the other, each after its own wait.
      if (outcome === 'database_unavailable') turnAwayLine('database_unavailable');
      else next();
    };
    return { kind: 'admitted', pass: { leave } };
  };
  const next = (): void => {
    // More than one: the limit may have grown.
    for (const first of line) {
      if (running >= limitRunning()) return;
      first(admit());
    }
  };
  const turnAwayLine = (reason: Refusal): void => {
    for (const settle of line) settle(refuse(reason));
  };

  return {
    enter(signal) {
      if (signal.aborted) return Promise.resolve(refuse('gone'));
      if (closed) return Promise.resolve(refuse('stopping'));
      if (line.size === 0 && running < limitRunning()) return Promise.resolve(admit());
      if (!lineLimit.hasRoom(line.size)) return Promise.resolve(refuse('overloaded'));
      return standInLine(line, {
        signal,
        maxWaitMs: limits.maxWaitMs,
        onGone: () => refuse('gone'),
        onLate: () => refuse('overloaded'),
      });
    },
    close() {
      closed = true;
      turnAwayLine('stopping');
    },
    view: () => ({ running, waiting: line.size, refused: { ...refused } }),
  };
}

/** Resolves when somebody settles it, the client hangs up, or the time is up. */
function standInLine(
  line: Set<Settle>,
  waiting: {
    readonly signal: AbortSignal;
    readonly maxWaitMs: number;
    readonly onGone: () => Entry;
    readonly onLate: () => Entry;
  },
): Promise<Entry> {
  const { signal, maxWaitMs, onGone, onLate } = waiting;
  return new Promise((resolve) => {
    const settle: Settle = (entry) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      line.delete(settle);
      resolve(entry);
    };
    const onAbort = (): void => settle(onGone());
    const timer = setTimeout(() => settle(onLate()), maxWaitMs);
    signal.addEventListener('abort', onAbort, { once: true });
    line.add(settle);
  });
}

/**
 * The share of time the event loop had no rest since it was asked last, 0 to 1; null when that is too
 * short ago to tell. A provider that is slow leaves it low: then more at once is right.
 */
export type Busyness = () => number | null;

const SAMPLE_MS = 250;
/** Beyond this nothing gets done sooner by beginning more of it, only later. */
const SATURATED = 0.98;
const RELAXED = 0.9;

function createBusyness(): Busyness {
  let last = performance.eventLoopUtilization();
  let lastMs = performance.now();
  return () => {
    if (performance.now() - lastMs < SAMPLE_MS) return null;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    lastMs = performance.now();
    return utilization;
  };
}

/** Down by a quarter while the process is saturated, up by some while it is not. */
function createRunningLimit(
  { minRunning, maxRunning }: AdmissionLimits,
  busyness: Busyness,
): () => number {
  let limit = maxRunning;
  return () => {
    const busy = busyness();
    if (busy !== null && busy > SATURATED) limit = Math.max(minRunning, Math.floor(limit * 0.75));
    if (busy !== null && busy < RELAXED) limit = Math.min(maxRunning, limit + minRunning);
    return limit;
  };
}
