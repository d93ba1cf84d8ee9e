/**
 * The official Stripe package on a transport of our own, and what its errors mean. The package's own
 * HTTP client repeats a request after a lost connection even with retries off; ours does not, its
 * deadline covers the body, and a response has a size limit.
 */
import Stripe from 'stripe';
import { ProviderFault } from '../resilience/guard.ts';
import { errorCode, fetchOnce, parseBody } from '../resilience/http.ts';
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
 * Classifies an error of the package. Returns a refusal; throws ProviderFault when the outcome is
 * unknown (409 key in flight, 429, 5xx, connection), ProviderRejection when the request can never
 * succeed (credentials, a key used with other parameters), and our own bugs unchanged. Error types:
 * https://docs.stripe.com/api/errors
 */
function readStripeError(error: unknown): StripeRefusal {
  const { errors } = Stripe;
  // The transport's own faults arrive unchanged, or as the detail of this type.
  if (error instanceof ProviderFault) throw error;
  if (error instanceof errors.StripeConnectionError) throw connectionFault(error);
  if (!(error instanceof errors.StripeError)) throw error;
  const refused = error instanceof errors.StripeInvalidRequestError;
  if (error instanceof errors.StripeCardError || refused) {
    const code = errorCode(refused ? 'invalid_request' : 'card_declined', error.code);
    return {
      code: errorCode(code, error.decline_code),
      param: error.param ?? null,
      intent: error.payment_intent ?? null,
      declined: !refused,
    };
  }
  if (isRejection(error)) {
    throw new ProviderRejection('payments', errorCode(`http_${error.statusCode}`, error.code));
  }
  throw new ProviderFault(`http_${error.statusCode ?? 'not_json'}`);
}

function isRejection(error: InstanceType<typeof Stripe.errors.StripeError>): boolean {
  const { StripeAuthenticationError, StripeIdempotencyError, StripePermissionError } =
    Stripe.errors;
  return (
    error instanceof StripeAuthenticationError ||
    error instanceof StripeIdempotencyError ||
    error instanceof StripePermissionError
  );
}

function connectionFault(error: InstanceType<typeof Stripe.errors.StripeConnectionError>) {
  const { detail } = error;
  if (detail instanceof ProviderFault) return detail;
  const code = detail instanceof Error && 'code' in detail ? detail.code : undefined;
  return new ProviderFault(code === 'ETIMEDOUT' ? 'deadline' : 'connection_failed');
}

const boundedFetch: typeof fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  const { status, headers, text } = await fetchOnce(url, init ?? {});
  // The package treats any JSON without an `error` as success, whatever the status.
  if (status >= 300 && !isStripeError(text)) throw new ProviderFault(`http_${status}`);
  return new Response(text, { status, headers });
};

function isStripeError(text: string): boolean {
  const body = parseBody(text);
  return typeof body === 'object' && body !== null && 'error' in body;
}
