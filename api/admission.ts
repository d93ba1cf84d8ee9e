/**
 * Load shedding: how many requests of one kind run at once, how many stand in line, and who is turned
 * away at the door. Turning away costs next to nothing, so what is admitted is answered at the same
 * rate however many come. It knows neither HTTP nor what the requests do.
 */

/** The limits of one kind of request. Values with their reasons: ADMISSION_LIMITS. */
export interface AdmissionLimits {
  readonly maxRunning: number;
  /** A burst may fill the line so far. */
  readonly maxWaiting: number;
  /** A line that has not been empty for `standingAfterMs` is no burst: it may only be this long. */
  readonly maxStanding: number;
  readonly standingAfterMs: number;
  readonly maxWaitMs: number;
}

/** The one table of how much work the API takes on. */
export const ADMISSION_LIMITS = {
  /**
   * 64 at once is what the payment guard lets through, and 256 a second at 250 ms each: more than one
   * process can do. 448 in line: a rush of 512 clicks at once is served, within seconds. But a line
   * that stands for 1 s is overload: then 32 wait, so that a shopper's wait stays well below a second.
   */
  checkout: {
    maxRunning: 64,
    maxWaiting: 448,
    maxStanding: 32,
    standingAfterMs: 1_000,
    maxWaitMs: 10_000,
  },
  /** Reads and operators' calls: short, none waits for a provider longer than its own deadline. */
  other: {
    maxRunning: 64,
    maxWaiting: 256,
    maxStanding: 64,
    standingAfterMs: 1_000,
    maxWaitMs: 2_000,
  },
} satisfies Record<string, AdmissionLimits>;

export type Refusal = 'overloaded' | 'database_unavailable' | 'gone';

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
  view(): AdmissionView;
}

type Settle = (entry: Entry) => void;

export function createAdmission(limits: AdmissionLimits): Admission {
  const line = new Set<Settle>();
  const refused = { overloaded: 0, database_unavailable: 0, gone: 0 };
  let running = 0;
  let standingSinceMs = 0;

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
      // Those in line would find no database either, one after the other, each after its own wait.
      if (outcome === 'database_unavailable') turnAwayLine();
      else next();
    };
    return { kind: 'admitted', pass: { leave } };
  };
  const next = (): void => {
    const [first] = line;
    if (first !== undefined && running < limits.maxRunning) first(admit());
  };
  const turnAwayLine = (): void => {
    for (const settle of line) settle(refuse('database_unavailable'));
  };
  const hasRoom = (): boolean => {
    if (line.size === 0) standingSinceMs = performance.now();
    const standing = performance.now() - standingSinceMs > limits.standingAfterMs;
    return line.size < (standing ? limits.maxStanding : limits.maxWaiting);
  };

  return {
    enter(signal) {
      if (signal.aborted) return Promise.resolve(refuse('gone'));
      if (running < limits.maxRunning) return Promise.resolve(admit());
      if (!hasRoom()) return Promise.resolve(refuse('overloaded'));
      return new Promise((resolve) => {
        const settle: Settle = (entry) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          line.delete(settle);
          resolve(entry);
        };
        const onAbort = (): void => settle(refuse('gone'));
        const timer = setTimeout(() => settle(refuse('overloaded')), limits.maxWaitMs);
        signal.addEventListener('abort', onAbort, { once: true });
        line.add(settle);
      });
    },
    view: () => ({ running, waiting: line.size, refused: { ...refused } }),
  };
}
