/** Where a shopper authenticates a payment (3-D Secure), as the bank's own page would ask. */
import { html } from 'hono/html';
import { formatMoney } from '../../../domain/money.ts';
import type { Html } from '../../web/page.ts';
import { orderOf, type Intent } from '../payments/records.ts';

export interface ChallengePage {
  readonly intent: Intent;
  /** Where the shopper came from; null when the address named none. */
  readonly returnUrl: string | null;
  /** True when the last try reached no decision. */
  readonly failed: boolean;
}

export function challengePage(page: ChallengePage): Html {
  const { intent, returnUrl } = page;
  return html`<header class="title">
      <h1>Confirm the payment</h1>
      <p>
        ${amountInWords(intent)}${orderOf(intent) !== null && ` for order ${orderOf(intent)}`}. Here
        the bank of the card asks its holder, by an app or a code. The sandbox takes your word.
      </p>
    </header>
    ${intent.status === 'requires_action' ? question(page) : outcome(intent)}
    ${returnUrl !== null && html`<p><a href="${returnUrl}">Back to the shop</a></p>`}`;
}

/** The amount of a payment, such as `€12.00`. */
export function amountInWords({ amount_minor: amountMinor, currency }: Intent): string {
  return formatMoney({ amountMinor, currency: currency.toUpperCase() });
}

function question({ intent, returnUrl, failed }: ChallengePage): Html {
  return html`${failed && html`<p role="alert">The bank did not answer. Try again.</p>`}
    <form method="post" action="/challenge/${intent.id}" class="actions">
      ${returnUrl !== null && html`<input type="hidden" name="return_url" value="${returnUrl}" />`}
      <button name="outcome" value="authenticated">Complete authentication</button>
      <button class="secondary" name="outcome" value="failed">Fail authentication</button>
    </form>`;
}

function outcome({ status, decline }: Intent): Html {
  if (decline !== null) return html`<p role="status">${decline.message} Nothing is charged.</p>`;
  const words =
    status === 'canceled'
      ? 'The shop has canceled this payment. There is nothing to confirm.'
      : 'The payment is confirmed.';
  return html`<p role="status">${words}</p>`;
}
