/** The account that the sandbox plays and its one webhook endpoint, for those who check an account. */
import { API_VERSION } from './webhooks.ts';
import type { WebhookTarget } from './webhooks.ts';

/** The Stripe Account, without the details of its owner. */
export const ACCOUNT = {
  id: 'acct_sandbox',
  object: 'account',
  capabilities: { card_payments: 'active', transfers: 'active' },
  charges_enabled: true,
  country: 'DE',
  default_currency: 'eur',
  details_submitted: true,
  payouts_enabled: true,
  type: 'standard',
} as const;

/** Stripe's list of webhook endpoints; none where no events are sent. */
export function showEndpoints(target: WebhookTarget | null): object {
  const data = target === null ? [] : [showEndpoint(target)];
  return { object: 'list', url: '/v1/webhook_endpoints', has_more: false, data };
}

function showEndpoint({ url }: WebhookTarget): object {
  return {
    id: 'we_sandbox',
    object: 'webhook_endpoint',
    api_version: API_VERSION,
    application: null,
    created: 0,
    description: null,
    // It sends whatever happens.
    enabled_events: ['*'],
    livemode: false,
    metadata: {},
    status: 'enabled',
    url,
  };
}
