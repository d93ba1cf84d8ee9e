/**
 * What an order waits for outside of the checkout: the shopper at the bank, and the cases that the card's
 * bank, its network or the payment provider has opened about the payment.
 */
import { html } from 'hono/html';
import type { CaseBody } from '../schemas/cases.ts';
import type { OrderView } from '../schemas/orders.ts';
import type { Html } from './page.ts';
import { badge, capitalized, isPast, money, time, words } from './parts.ts';

/** Until when the shopper can confirm the payment. */
export function paymentActionBox({ status, payment }: OrderView): Html | string {
  const until = payment?.action_expires_at ?? null;
  if (status !== 'pending' || until === null) return '';
  return html`<section class="box busy" aria-label="Payment action">
    <p>
      <strong>The bank asks the shopper to confirm.</strong> The units are held, and nothing is
      charged.
      ${
        isPast(until)
          ? html`The time for it ended ${time(until)}: the payment is being voided.`
          : html`Without it the payment is voided ${time(until)}, and the order expires.`
      }
    </p>
  </section>`;
}

/** Each case, the open ones first, with what can be done about it and until when. */
export function casesBox({ payment }: OrderView): Html | string {
  const cases = payment?.cases ?? [];
  if (cases.length === 0) return '';
  const isAnyOpen = cases.some(({ is_open: isOpen }) => isOpen);
  return html`<section class="box ${isAnyOpen ? 'bad' : ''}" aria-labelledby="cases">
    <h2 id="cases">Cases of the payment</h2>
    ${cases.toSorted((a, b) => Number(b.is_open) - Number(a.is_open)).map(caseBody)}
  </section>`;
}

function caseBody(each: CaseBody): Html {
  const { id, kind, status, is_open: isOpen, amount_minor: amount, currency, actions } = each;
  return html`<p>
      <strong>${TITLES[kind]}</strong> ${badge(status, isOpen ? 'bad' : 'quiet')}
      ${amount === null || currency === null ? '' : money(amount, currency)} ${words(each.reason)}
      <small class="muted">
        opened
        ${time(each.opened_at)}${each.closed_at === null ? '' : html`, closed ${time(each.closed_at)}`}
        <code>${id}</code>
      </small>
    </p>
    ${
      actions.length === 0
        ? ''
        : html`<ul>
            ${actions.map(({ action, effect }) => html`<li><strong>${capitalized(action)}</strong>: ${effect}</li>`)}
          </ul>`
    }`;
}

const TITLES: Readonly<Record<CaseBody['kind'], string>> = {
  dispute: 'Dispute',
  fraud_warning: 'Fraud warning',
  review: 'Review',
};
