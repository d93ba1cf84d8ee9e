/**
 * What a call without a result can mean, as errors that an adapter throws and the guard turns into
 * outcomes. Any other error is our own bug.
 *
 * | error               | outcome                                    | counts for the breaker |
 * | ------------------- | ------------------------------------------ | ---------------------- |
 * | `ProviderFault`     | `unknown`                                  | yes                    |
 * | `AccessRefused`     | `unavailable`, shown by /readyz            | yes                    |
 * | `ProviderBusy`      | repeated within the deadline, then         |                        |
 * |                     | `unavailable`, or `unknown` if it runs     | no                     |
 * | `Inconclusive`      | `unknown`                                  | no                     |
 * | `NotUnderstood`     | `unknown`, and counted for an operator     | no                     |
 * | `ProviderRejection` | thrown on: the request can never succeed   | no                     |
 */
import { retryAfterOf } from './retry-after.ts';

/** The response of a provider as far as its meaning depends on it. */
interface ErrorResponse {
  readonly status: number;
  /** A technical code, for logs and operators. */
  readonly reason: string;
  /** The header of that name. */
  readonly retryAfter: string | null | undefined;
}

/** What ends a call without a result. */
export class CallFault extends Error {
  /** A technical code. */
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** A failure of provider or network: connection lost, 5xx, an unreadable response. */
export class ProviderFault extends CallFault {
  override readonly name = 'ProviderFault';
}

/** The provider responded, and its response does not say what happened; a later one may. */
export class Inconclusive extends CallFault {
  override readonly name = 'Inconclusive';
}

/**
 * The provider answered outside of its contract, so a repeat gives the same answer. The call may have
 * taken effect.
 */
export class NotUnderstood extends CallFault {
  override readonly name = 'NotUnderstood';
}

/** The provider refuses our account: wrong or expired credentials, no permission. Nothing was done. */
export class AccessRefused extends CallFault {
  override readonly name = 'AccessRefused';
}

/** The provider asks to wait: a rate limit or a lock, or the first request with this key still runs. */
export class ProviderBusy extends CallFault {
  override readonly name = 'ProviderBusy';
  /** True when an earlier request with the same key may still take effect. */
  readonly isRunning: boolean;
  /** How long the provider asks to wait; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor({ status, reason, retryAfter }: ErrorResponse) {
    super(reason);
    this.isRunning = status === CONFLICT;
    this.retryAfterMs = retryAfterOf(retryAfter ?? undefined);
  }
}

/**
 * Throws what an error status of HTTP means (RFC 9110 §15, RFC 6585 §4). Returns when the status is
 * about the request: then the provider's contract says what it means.
 */
export function throwUnlessRefusal(response: ErrorResponse): void {
  const { status, reason } = response;
  if (ACCESS.includes(status)) throw new AccessRefused(reason);
  if (BUSY.includes(status)) throw new ProviderBusy(response);
  if (status < 400 || status >= 500 || NOT_ABOUT_US.includes(status)) {
    throw new ProviderFault(reason);
  }
}

const CONFLICT = 409;
/** Unauthorized, forbidden. */
const ACCESS: readonly number[] = [401, 403];
/** Conflict, locked (RFC 4918), too early (RFC 8470), too many requests. */
const BUSY: readonly number[] = [CONFLICT, 423, 425, 429];
/** Request timeout, misdirected request, failed dependency: the provider did not judge the request. */
const NOT_ABOUT_US: readonly number[] = [408, 421, 424];
