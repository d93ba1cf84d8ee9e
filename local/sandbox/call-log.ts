/**
 * The newest calls at the providers and the messages to the shop, in memory: what a person watches
 * while an order is carried out. The ledgers have only effects; here a call without one is visible too.
 */
import { EventEmitter } from 'node:events';
import type { Mode, Operation, Provider } from './faults.ts';

export interface LoggedCall {
  /** Grows by one with each call. */
  readonly id: number;
  /** When it arrived, in real time. */
  readonly atMs: number;
  readonly provider: Provider;
  readonly operation: Operation;
  /** Null where the call does not name it, such as a mail that is cut off before its text. */
  readonly orderId: string | null;
  /** The status of the response; null when there was none. */
  readonly status: number | null;
  /** The fault that fired. */
  readonly fault: Mode | null;
  /** The saved response of an earlier call with the same key. */
  readonly replayed: boolean;
}

export interface CallLog {
  record(call: Omit<LoggedCall, 'id'>): void;
  /** Oldest first. */
  calls(): readonly LoggedCall[];
  /** Calls `listener` after each new call. Returns the function that ends it. */
  subscribe(listener: () => void): () => void;
}

const MAX_CALLS = 2_000;

export function createCallLog(): CallLog {
  const calls: LoggedCall[] = [];
  const changes = new EventEmitter().setMaxListeners(0);
  let next = 1;
  return {
    record: (call) => {
      calls.push({ ...call, id: next });
      next += 1;
      // In one go, because moving all for each call costs more than the calls themselves.
      if (calls.length >= 2 * MAX_CALLS) calls.splice(0, MAX_CALLS);
      changes.emit('call');
    },
    calls: () => calls,
    subscribe: (listener) => {
      changes.on('call', listener);
      return () => void changes.off('call', listener);
    },
  };
}

/** The order that a key, a URL or a body names; null when it names none. */
export function orderIn(text: string): string | null {
  return /ord_[0-9a-z]+/.exec(text)?.[0] ?? null;
}
