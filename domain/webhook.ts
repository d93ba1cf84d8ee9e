/** Webhooks. Each endpoint is a subscription of its own. */
import type { EventType } from './order.ts';

export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  /** Empty: every type. */
  readonly types: readonly EventType[];
  readonly status: 'enabled' | 'disabled';
  readonly disabledReason: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** One attempt to deliver one event to one endpoint. */
export interface WebhookAttempt {
  readonly id: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly outcome: 'delivered' | 'failed';
  /** The HTTP status; null when there was no response. */
  readonly status: number | null;
  readonly latencyMs: number;
  /** The technical reason of a failure; null when there was none. */
  readonly error: string | null;
  /** The beginning of the response. */
  readonly response: string | null;
  readonly attemptedAt: string;
}

/** The outcome of one send. */
export type WebhookOutcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** From Retry-After (RFC 9110, 10.2.3), or null. */
      readonly retryAfterMs: number | null;
      /** The beginning of the response, at most 1024 characters. */
      readonly bodyHead: string;
      readonly latencyMs: number;
    }
  /** The URL resolves to an address that is not allowed. Nothing was sent. */
  | { readonly kind: 'blocked'; readonly reason: string; readonly latencyMs: number }
  /** No response: name not found, connection refused or lost, deadline passed. */
  | { readonly kind: 'failed'; readonly reason: string; readonly latencyMs: number };

/** The outcome as an attempt records it. Only 2xx is a delivery: a redirect is not followed. */
export function attemptOf(
  outcome: WebhookOutcome,
): Pick<WebhookAttempt, 'outcome' | 'status' | 'latencyMs' | 'error' | 'response'> {
  const { latencyMs } = outcome;
  const unanswered = { outcome: 'failed', status: null, latencyMs, response: null } as const;
  switch (outcome.kind) {
    case 'blocked':
      return { ...unanswered, error: `url blocked: ${outcome.reason}` };
    case 'failed':
      return { ...unanswered, error: `no response: ${outcome.reason}` };
    case 'answered': {
      const { status, bodyHead: response } = outcome;
      return status >= 200 && status < 300
        ? { outcome: 'delivered', status, latencyMs, error: null, response }
        : { outcome: 'failed', status, latencyMs, error: `HTTP ${status}`, response };
    }
  }
}

/** The type of the event that an operator sends to test an endpoint. */
export const WEBHOOK_TEST_TYPE = 'webhook_endpoint.test';

const PREFIX = 'webhook/';

/** The subscription of an endpoint. */
export function webhookSubscription(endpointId: string): string {
  return `${PREFIX}${endpointId}`;
}

/** The endpoint of a subscription; null when the subscription is not a webhook's. */
export function webhookEndpointOf(subscription: string): string | null {
  return subscription.startsWith(PREFIX) ? subscription.slice(PREFIX.length) : null;
}
