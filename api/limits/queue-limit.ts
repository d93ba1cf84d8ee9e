/** How long a line may become: a burst is waited for, overload is not, nor an end never reached in time. */

export interface LineLimits {
  /** A burst may fill the line so far. */
  readonly maxWaiting: number;
  /** A line that has not been empty for `standingAfterMs` is no burst: it may only be this long. */
  readonly maxStanding: number;
  /** Until then the length allowed sinks evenly: a burst gets shorter, overload does not. */
  readonly standingAfterMs: number;
  /** Who would have to wait longer, by the pace of the line, is turned away at once. */
  readonly maxWaitMs: number;
}

export interface LineLimit {
  /** One was served, so the line moves. */
  served(): void;
  /** True when one more may join a line of this length. */
  hasRoom(length: number): boolean;
}

/** The pace is counted over so long: some are served meanwhile even by a process that has just begun. */
const PACE_OVER_MS = 3_000;
/** Of the wait allowed; the rest is for a pace that drops while one waits. */
const SAFELY_SERVED = 0.8;

/** `nowMs`: milliseconds of a clock that never goes back. */
export function createLineLimit(limits: LineLimits, nowMs: () => number): LineLimit {
  const { maxWaiting, maxStanding, standingAfterMs, maxWaitMs } = limits;
  let standingSinceMs = nowMs();
  let countedSinceMs = standingSinceMs;
  let count = 0;
  /** Null while too little is known. */
  let servedInTime: number | null = null;

  const begin = (): void => {
    standingSinceMs = nowMs();
    countedSinceMs = standingSinceMs;
    count = 0;
    servedInTime = null;
  };
  const judgePace = (): void => {
    const countedMs = nowMs() - countedSinceMs;
    if (countedMs < PACE_OVER_MS) return;
    servedInTime = (count / countedMs) * maxWaitMs * SAFELY_SERVED;
    countedSinceMs += countedMs;
    count = 0;
  };
  return {
    served: () => void (count += 1),
    hasRoom(length) {
      if (length === 0) begin();
      judgePace();
      const stoodMs = Math.min(nowMs() - standingSinceMs, standingAfterMs);
      const allowed = maxWaiting - (maxWaiting - maxStanding) * (stoodMs / standingAfterMs);
      return length < Math.min(allowed, servedInTime ?? allowed);
    },
  };
}
