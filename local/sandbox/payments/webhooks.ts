/** Stripe's events about payments, signed as Stripe does and sent until the shop accepts them. */
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import type { SandboxClock } from '../clock.ts';
import type { CallLog } from '../call-log.ts';
import { createDeliveries } from '../deliveries.ts';
import type { Faults } from '../faults.ts';
import type { Journal } from '../journal.ts';

export type EventType =
  | 'payment_intent.requires_action'
  | 'payment_intent.amount_capturable_updated'
  | 'payment_intent.succeeded'
  | 'payment_intent.canceled'
  | 'payment_intent.payment_failed'
  | 'charge.refunded'
  | 'refund.created'
  | 'refund.updated'
  | 'refund.failed'
  | 'charge.dispute.created'
  | 'charge.dispute.updated'
  | 'charge.dispute.funds_withdrawn'
  | 'charge.dispute.funds_reinstated'
  | 'charge.dispute.closed'
  | 'radar.early_fraud_warning.created'
  | 'radar.early_fraud_warning.updated'
  | 'review.opened'
  | 'review.closed';

export interface WebhookTarget {
  readonly url: string;
  /** Shared with the shop, `whsec_...`. */
  readonly secret: string;
}

export interface Webhooks {
  emit(type: EventType, object: object): void;
  /** Changes where events are sent; `null` sends none. */
  aim(target: WebhookTarget | null): void;
  target(): WebhookTarget | null;
  close(): Promise<void>;
}

export interface WebhookOptions {
  readonly journal: Journal;
  readonly clock: SandboxClock;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly target: WebhookTarget | null;
  readonly retryDelaysMs: readonly number[];
}

export const API_VERSION = '2026-09-30.endive';

export function createWebhooks(options: WebhookOptions): Webhooks {
  const place = { provider: 'payments', operation: 'webhook' } as const;
  let { target } = options;
  const deliveries = createDeliveries({
    ...options,
    place,
    sign: ({ body }, nowMs) => ({
      'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({
        payload: body,
        secret: target?.secret ?? '',
        timestamp: Math.floor(nowMs / 1000),
      }),
    }),
  });
  return {
    emit: (type, object) => {
      if (target === null) return;
      // `refuse`: the provider never sends this webhook.
      if (options.faults.trigger(place, ['refuse']) !== null) return;
      const id = `evt_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
      const body = JSON.stringify({
        id,
        object: 'event',
        api_version: API_VERSION,
        created: Math.floor(options.clock.now() / 1000),
        data: { object },
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        type,
      });
      deliveries.enqueue({ message_id: id, url: target.url, body });
    },
    aim: (next) => {
      target = next;
    },
    target: () => target,
    close: () => deliveries.close(),
  };
}
