/** One read at Stripe with its deadline: its answer, or what to report about it. It never throws for Stripe. */
import Stripe from 'stripe';
import { CallFault } from '../../gateways/resilience/faults.ts';
import { errorCode } from '../../gateways/resilience/http.ts';

/** Of each call. The calls run at the same time, so this is also about how long the check takes. */
export const DEADLINE_MS = 10_000;

export type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  /** The key is wrong, revoked or expired. */
  | { readonly kind: 'key_refused' }
  /** `scopes` are Stripe's own names of the permissions that would do; it does not always name them. */
  | { readonly kind: 'not_permitted'; readonly scopes: readonly string[] }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'no_answer'; readonly reason: string };

/** Runs one read. Errors that are not Stripe's or the network's are our bugs, and thrown. */
export async function readAtStripe<T>(read: () => Promise<T>): Promise<Read<T>> {
  try {
    return { kind: 'read', value: await read() };
  } catch (error) {
    if (error instanceof CallFault) return { kind: 'no_answer', reason: error.reason };
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    return readError(error);
  }
}

const SCOPE = /\brak_[a-z0-9_]+/g;

/** Stripe's text quotes a part of the key, so only the names of permissions are taken from it. */
function readError(error: InstanceType<typeof Stripe.errors.StripeError>): Read<never> {
  const { statusCode: status = 0, message } = error;
  const scopes = [...new Set(message.match(SCOPE))];
  if (status === 403 || (status === 401 && scopes.length > 0)) {
    return { kind: 'not_permitted', scopes };
  }
  if (status === 401) return { kind: 'key_refused' };
  if (status >= 400 && status < 500 && status !== 429) {
    return { kind: 'refused', code: errorCode(`http_${status}`, error.code) };
  }
  return { kind: 'no_answer', reason: status === 0 ? reasonOf(error) : `http_${status}` };
}

/** Of a call without any response. */
function reasonOf({ detail }: InstanceType<typeof Stripe.errors.StripeError>): string {
  if (detail instanceof CallFault) return detail.reason;
  const code = detail instanceof Error && 'code' in detail ? detail.code : undefined;
  return code === 'ETIMEDOUT' ? 'deadline' : 'connection_failed';
}
