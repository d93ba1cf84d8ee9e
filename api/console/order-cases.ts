/** What an order waits for outside of the checkout: the shopper at the bank. */
import { html } from 'hono/html';
import type { OrderView } from '../schemas/orders.ts';
import type { Html } from './page.ts';
import { time } from './parts.ts';

/** Until when the shopper can confirm the payment. */
export function paymentActionBox({ status, payment }: OrderView): Html | string {
  const until = payment?.action_expires_at ?? null;
  if (status !== 'pending' || until === null) return '';
  return html`<section class="box busy" aria-label="Payment action">
    <p>
      <strong>The bank asks the shopper to confirm.</strong> The units are held, and nothing is
      charged. What is not confirmed ${time(until)} is voided, and the order expires.
    </p>
  </section>`;
}
