/** The subscribers of the event log. A new one is a file beside this one and a line in here. */
import { webhookEndpointOf } from '../../../domain/webhook.ts';
import { createAnalyticsSubscriber } from './analytics.ts';
import { createAuditSubscriber } from './audit.ts';
import { createCheckoutStarterSubscriber, type CheckoutStarterDeps } from './checkout-starter.ts';
import { createExpiryNotifierSubscriber, type ExpiryNotifierDeps } from './expiry-notifier.ts';
import { createRefundStarterSubscriber, type RefundStarterDeps } from './refund-starter.ts';
import type { Subscriber } from './subscriber.ts';
import { createWarehouseFeedSubscriber } from './warehouse-feed.ts';
import { createWebhookSubscriber, type WebhookSubscriberDependencies } from './webhook.ts';

export type SubscriberDependencies = CheckoutStarterDeps &
  RefundStarterDeps &
  ExpiryNotifierDeps &
  WebhookSubscriberDependencies;

/** The built-in subscribers. */
export function createSubscribers(deps: SubscriberDependencies): readonly Subscriber[] {
  return [
    createCheckoutStarterSubscriber(deps),
    createRefundStarterSubscriber(deps),
    createExpiryNotifierSubscriber(deps),
    createAnalyticsSubscriber(deps),
    createAuditSubscriber(deps),
    createWarehouseFeedSubscriber(deps),
  ];
}

/** Finds the subscriber by the subscription's name; null when this version has none. */
export function createSubscriberLookup(
  deps: SubscriberDependencies,
  builtIn: readonly Subscriber[],
): (subscription: string) => Promise<Subscriber | null> {
  return async (name) => {
    const endpointId = webhookEndpointOf(name);
    if (endpointId !== null) return createWebhookSubscriber(deps, endpointId);
    return builtIn.find((subscriber) => subscriber.name === name) ?? null;
  };
}
