/** What was ordered and what of it is sent, what it costs, and the money that comes back. */
import { html } from 'hono/html';
import { formatMoney } from '../../domain/money.ts';
import type { Html } from '../web/page.ts';
import type { Order } from './api.ts';
import { adjustmentPart } from './checkout-page.ts';

export function summaryPart(order: Order): Html {
  const { lines, adjustments, total_minor: totalMinor, currency } = order;
  return html`<ul class="lines">
      ${lines.map(lineItem)}
    </ul>
    ${adjustments.map((each) => adjustmentPart(each, currency))}
    <p class="total">
      Total <strong>${formatMoney({ amountMinor: totalMinor, currency })}</strong>
    </p>
    ${partialPart(order)} ${refundsPart(order)}`;
}

function lineItem(line: Order['lines'][number]): Html {
  const { sku, name, quantity } = line;
  const sent = sentOf(line);
  return html`<li>
    <img src="/shop/pictures/${sku}.svg" alt="" width="64" height="48" />
    <span
      >${quantity} × ${name}
      ${sent < quantity && html`<br /><small>${sentInWords(sent)}</small>`}</span
    >
  </li>`;
}

function sentOf({ quantity, reserved_quantity: reserved }: Order['lines'][number]): number {
  return reserved ?? quantity;
}

function sentInWords(sent: number): string {
  return sent === 0 ? 'not there, and not sent' : `only ${sent} there`;
}

/** Empty unless less is sent than was ordered. */
function partialPart({ lines, due_minor: amountMinor, currency }: Order): Html {
  const ordered = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const sent = lines.reduce((sum, line) => sum + sentOf(line), 0);
  if (sent === ordered) return html``;
  return html`<p class="notice">
    ${sent} of ${ordered} items are sent; you pay ${formatMoney({ amountMinor, currency })}.
  </p>`;
}

const REFUNDS: Readonly<Record<string, string>> = {
  requested: 'is on its way',
  pending: 'is on its way; banks take some days',
  requires_action: 'waits for you: the payment provider has written to you',
  needs_attention: 'takes longer; we look after it',
  succeeded: 'is back with you',
  failed: 'could not be sent; we look after it',
  canceled: 'was taken back',
};

function refundsPart({ refunds, currency }: Order): Html {
  if (refunds.length === 0) return html``;
  return html`<h3>Money back</h3>
    <ul>
      ${refunds.map(
        ({ amount_minor: amountMinor, status }) =>
          html`<li>
            <strong>${formatMoney({ amountMinor, currency })}</strong>
            ${REFUNDS[status] ?? status}
          </li>`,
      )}
    </ul>`;
}
