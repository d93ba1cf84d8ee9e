/** The events of a webhook endpoint, for the dashboard and for Stripe's command line. */
import Stripe from 'stripe';
import { PAYMENT_WEBHOOK_EVENTS } from '../../gateways/stripe/events.ts';

/** Where the API receives the events; `API_VERSION` is the version in which the gateway reads them. */
export const CALLBACK_PATH = '/callbacks/payments';
export const { API_VERSION } = Stripe;
export const EVENTS: readonly string[] = Object.keys(PAYMENT_WEBHOOK_EVENTS);

/** Each event and what it means, then the command that creates the endpoint. */
export function printedEvents(publicUrl: string | undefined): string {
  const width = Math.max(...EVENTS.map((type) => type.length));
  const rows = Object.entries(PAYMENT_WEBHOOK_EVENTS).map(
    ([type, means]) => `# ${type.padEnd(width)}  ${means}`,
  );
  const mode =
    '# Add --live in live mode: without it the endpoint, and its secret, are of test mode.';
  return [...rows, '', mode, commandOf(publicUrl ?? 'https://checkout.shop.example')].join('\n');
}

/** For https://docs.stripe.com/stripe-cli. A shell takes it as it is, the lines above as comments. */
function commandOf(publicUrl: string): string {
  const url = new URL(CALLBACK_PATH, publicUrl).href;
  const data = [`url=${url}`, `api_version=${API_VERSION}`];
  data.push(...EVENTS.map((type) => `enabled_events[]=${type}`));
  return ['stripe webhook_endpoints create', ...data.map((each) => `  -d "${each}"`)].join(' \\\n');
}
