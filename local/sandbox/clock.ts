/**
 * The sandbox's own clock: real time plus an offset that tests and people set, so that keys and
 * authorizations expire without waiting. Timers and signatures use real time.
 */
import { z } from 'zod';
import type { Journal } from './journal.ts';

export interface SandboxClock {
  /** Milliseconds since the epoch, offset included. */
  now(): number;
  offsetMs(): number;
  setOffset(offsetMs: number): void;
}

const OFFSET = 'offset';

export function createClock(journal: Journal): SandboxClock {
  const settings = journal.table({ name: 'clock', row: z.number(), limit: 1 });
  const offsetMs = () => settings.get(OFFSET) ?? 0;
  return {
    now: () => Date.now() + offsetMs(),
    offsetMs,
    setOffset: (value) => settings.set(OFFSET, value),
  };
}
