/**
 * The official Stripe package on a transport of our own, and what its errors mean. The package's own
 * HTTP client repeats a request after a lost connection even with retries off; ours does not, its
 * deadline covers the body, and a response has a size limit.
 */
import Stripe from 'stripe';
import { z } from 'zod';
import {
  CallFault,
  Inconclusive,
  ProviderBusy,
  ProviderFault,
  throwUnlessRefusal,
} from '../resilience/faults.ts';
import { errorCode, fetchOnce, parseBody, readBody } from '../resilience/http.ts';
import { ProviderRejection } from '../resilience/outcome.ts';

export interface StripeAccess {
  readonly apiKey: string;
  readonly apiUrl: string;
}

/** A client that tries once and sends no telemetry. Throws TypeError when `apiUrl` is no URL. */
export function createStripeClient({ apiKey, apiUrl }: StripeAccess): Stripe {
  const url = new URL(apiUrl);
  const secure = url.protocol === 'https:';
  return new Stripe(apiKey, {
    host: url.hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    protocol: secure ? 'https' : 'http',
    httpClient: Stripe.createFetchHttpClient(boundedFetch),
    maxNetworkRetries: 0,
    telemetry: false,
  });
}

/** A refusal by the provider, as opposed to a fault. */
export interface StripeRefusal {
  readonly code: string;
  readonly param: string | null;
  readonly intent: Stripe.PaymentIntent | null;
  /** True for a decline of the card, false for a request that cannot be carried out. */
  readonly declined: boolean;
}

/** The means of one guarded call. */
export interface StripeCall {
  readonly stripe: Stripe;
  /** Of each request; the guard has the deadline of the whole call. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Runs `work`, and `refused` on a refusal. Throws as `readStripeError` does. */
export async function parseResponse<T>(
  work: () => Promise<T>,
  refused: (refusal: StripeRefusal) => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return await refused(readStripeError(error));
  }
}

/**
 * Classifies an error of the package by status, type and code (https://docs.stripe.com/api/errors,
 * https://docs.stripe.com/error-codes). Returns a refusal of the request. Throws a `CallFault` as
 * faults.ts says, ProviderRejection for a key that was used with other parameters, and our own bugs
 * unchanged.
 */
export function readStripeError(error: unknown): StripeRefusal {
  const { StripeCardError, StripeConnectionError, StripeError } = Stripe.errors;
  // The transport's own faults arrive unchanged, or as the detail of this type.
  if (error instanceof ProviderFault) throw error;
  if (error instanceof StripeConnectionError) throw connectionFault(error);
  if (!(error instanceof StripeError) || error.statusCode === undefined) throw error;
  const { statusCode: status } = error;
  const retryAfter = error.headers?.['retry-after'];
  const response = { status, reason: `http_${status}`, retryAfter };
  if (status >= 500 && isReplay(error)) throw new Inconclusive(`http_${status}_replayed`);
  if (BUSY_CODES.includes(error.code)) throw new ProviderBusy(response);
  throwUnlessRefusal(response);
  if (error.rawType === 'idempotency_error') {
    throw new ProviderRejection('payments', errorCode('idempotency_key_reused', error.code));
  }
  const declined = error instanceof StripeCardError;
  const code = errorCode(declined ? 'card_declined' : 'invalid_request', error.code);
  return {
    code: errorCode(code, error.decline_code),
    param: error.param ?? null,
    intent: error.payment_intent ?? null,
    declined,
  };
}

/** True for a failure that Stripe had saved under the key, and that says nothing about its health now. */
export function isReplay(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeError)) return false;
  return error.headers?.['idempotent-replayed'] === 'true';
}

/** They mean to wait, with whatever status they come. */
const BUSY_CODES: readonly unknown[] = ['rate_limit', 'lock_timeout', 'idempotency_key_in_use'];

/** For a refused read: it says nothing about what was done before. */
export function inconclusive({ code }: StripeRefusal): never {
  throw new Inconclusive(`lookup_${code}`);
}

function connectionFault(error: InstanceType<typeof Stripe.errors.StripeConnectionError>) {
  const { detail } = error;
  if (detail instanceof CallFault) return detail;
  const code = detail instanceof Error && 'code' in detail ? detail.code : undefined;
  return new ProviderFault(code === 'ETIMEDOUT' ? 'deadline' : 'connection_failed');
}

const boundedFetch: typeof fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  const { status, headers, text } = await fetchOnce(url, init ?? {});
  // The package treats any JSON without an `error` as success, whatever the status.
  if (status >= 300 && !isStripeError(text)) throw new ProviderFault(`http_${status}`);
  if (status < 300) readBody(stripeObject, parseBody(text));
  return new Response(text, { status, headers });
};

/** A proxy's body may have an `error`, too; Stripe's has a type. */
function isStripeError(text: string): boolean {
  return stripeError.safeParse(parseBody(text)).success;
}

/** Stripe answers nothing else; the package would hand on a text or a list as it is. */
const stripeObject = z.looseObject({});
const stripeError = z.object({ error: z.object({ type: z.string() }) });
