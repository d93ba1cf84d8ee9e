/**
 * The keys of a call that moves money. Stripe saves the first response under a key, be it a refusal or a
 * 500, and replays it for a day or longer (https://docs.stripe.com/api/idempotent_requests). Such a replay
 * says nothing about now. When a look-up proves that nothing was done, the call is sent under the next key,
 * which is derived from the first: callers at once use the same one, and Stripe sees one request.
 */
import { derivedKey } from '../../domain/ids.ts';
import { Inconclusive } from '../resilience/faults.ts';
import { isReplay, readStripeError } from './client.ts';
import type { StripeCall, StripeRefusal } from './client.ts';

interface KeyedCall<T> {
  send(key: string): Promise<T>;
  /** After a refusal of this request. */
  refused(refusal: StripeRefusal): T | Promise<T>;
  /** After a replayed failure: what a look-up finds, or null when nothing was done. */
  replayed(): T | null | Promise<T | null>;
}

/**
 * No fewer than the failed calls that open the circuit breaker: an outage is over before the keys of an
 * order are.
 */
const MAX_KEYS = 10;

/** Sends the call under its key, or under the first derived one without a saved failure. */
export async function withDerivedKeys<T>(
  { signal }: StripeCall,
  key: string,
  { send, refused, replayed }: KeyedCall<T>,
): Promise<T> {
  for (let nth = 1; nth <= MAX_KEYS; nth += 1) {
    // After the deadline the outcome would be lost.
    signal.throwIfAborted();
    try {
      return await send(derivedKey(key, nth));
    } catch (error) {
      if (!isReplay(error)) return refused(readStripeError(error));
    }
    const outcome = await replayed();
    if (outcome !== null) return outcome;
  }
  throw new Inconclusive('saved_failures_only');
}
