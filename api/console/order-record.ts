/** What an order is: customer, lines, money, shipment, mails, and who did what. */
import { html } from 'hono/html';
import { stepTitle } from '../../domain/checkout-steps.ts';
import { fromMinor } from '../../domain/money.ts';
import type { DeadLetterBody } from '../schemas/dead-letters.ts';
import type { OrderView } from '../schemas/orders.ts';
import type { RefundBody } from '../schemas/refunds.ts';
import type { Html } from './page.ts';
import { actionForm, badge, hidden, money, table, time, words } from './parts.ts';

export function customerBox({ customer, shipping_address: to }: OrderView): Html {
  const street = [to.line1, to.line2].filter(Boolean).join(', ');
  const city = [to.postal_code, to.city, to.region, to.country].filter(Boolean).join(' ');
  const lines = [customer.name, customer.email, customer.phone ?? '', street, city];
  const ways = customer.sms_consent ? 'by mail and SMS' : 'by mail, no consent to SMS';
  const language = new Intl.DisplayNames('en', { type: 'language' }).of(customer.language);
  return section(
    'Customer',
    html`<address>${lines.filter(Boolean).map((line) => html`<span>${line}</span>`)}</address>
      <p class="muted">Messages in ${language}, ${ways}.</p>`,
  );
}

export function linesTable(order: OrderView): Html {
  const { lines, adjustments, currency, total_minor: total } = order;
  const rows = lines.map(({ sku, name, quantity, unit_price_minor: price }) => [
    html`${quantity} × ${name} <small class="muted">${sku}</small>`,
    money(quantity * price, currency),
  ]);
  const others = adjustments.map(({ kind, label, amount_minor: minor }) => [
    html`${label} <small class="muted">${kind}</small>`,
    money(minor, currency),
  ]);
  return section(
    'Lines',
    table({
      caption: 'Products of the order',
      head: ['Product', 'Price'],
      rows: [...rows, ...others, ['Total', html`<strong>${money(total, currency)}</strong>`]],
      empty: '',
    }),
  );
}

/** The statuses in which a cancel is the way to give money back. */
const CANCELLABLE: readonly string[] = ['placed', 'reserved', 'paid'];

export function moneyBox(order: OrderView): Html {
  const { payment, refunds, status } = order;
  if (payment === null) return section('Money', html`<p class="muted">No payment.</p>`);
  const left = leftToRefund(order, payment);
  return section(
    'Money',
    html`<dl class="facts">
        ${factOf('Payment', badge(payment.status, 'quiet'))}
        ${order.credit_minor === 0 ? '' : factOf('Store credit', money(order.credit_minor, order.currency))}
        ${factOf('Authorized', money(payment.amount_minor, payment.currency))}
        ${factOf('Captured', money(payment.captured_minor, payment.currency))}
        ${factOf('Refunded', money(payment.refunded_minor, payment.currency))}
        ${payment.credited_minor === 0 ? '' : factOf('Refunded as credit', money(payment.credited_minor, payment.currency))}
        ${payment.decline_code === null ? '' : factOf('Declined', words(payment.decline_code))}
      </dl>
      ${refunds.map(
        (each) =>
          html`<p>
            ${money(each.amount_minor, each.currency)} ${badge(each.status)}
            ${each.lines.map(({ quantity, sku }) => `${quantity} × ${sku}`).join(', ')}
            <small class="muted">
              refund, ${words(each.cause)},
              ${time(each.requested_at)}${
                each.credit_minor === 0
                  ? ''
                  : html`, ${money(each.credit_minor, each.currency)} of it as store credit`
              }
            </small>
          </p>`,
      )}
      ${left > 0 ? refundForm(left, payment.currency) : ''}
      ${CANCELLABLE.includes(status) ? cancelForm() : ''}`,
  );
}

/** What the customer has paid, by card and by credit, less what refunds return. */
function leftToRefund(
  { status, credit_minor: credit, refunds }: OrderView,
  payment: NonNullable<OrderView['payment']>,
): number {
  if (status.startsWith('cancel') || !PAID.includes(payment.status)) return 0;
  const returned = refunds.filter((each) => each.status !== 'failed');
  return returned.reduce((left, each) => left - each.amount_minor, payment.captured_minor + credit);
}

const PAID: readonly string[] = ['captured', 'partially_refunded', 'refunded'];

function refundForm(left: number, currency: string): Html {
  return html`<details>
    <summary role="button" class="secondary outline">Refund money</summary>
    ${actionForm({
      action: 'refund',
      label: 'Refund',
      confirm: 'Refund this amount? The customer gets it back, and a mail.',
      fields: html`${hidden('currency', currency)}
        <label>
          Amount in ${currency}
          <input name="amount" value="${fromMinor(left, currency)}" inputmode="decimal" required />
        </label>
        <label>
          To
          <select name="to">
            <option value="original">the card, then store credit</option>
            <option value="credit">store credit</option>
          </select>
        </label>
        <label>Reason, for operators <input name="reason" maxlength="500" required /></label>`,
    })}
  </details>`;
}

function cancelForm(): Html {
  return html`<details>
    <summary role="button" class="secondary outline">Cancel the order</summary>
    ${actionForm({
      action: 'cancel',
      label: 'Cancel the order',
      tone: 'danger',
      confirm: 'Cancel the order? Completed steps are compensated, and the customer is notified.',
      fields: html`<label>Reason <input name="reason" maxlength="500" /></label>`,
    })}
  </details>`;
}

export function shipmentBox({ shipment }: OrderView): Html {
  if (shipment === null) return section('Shipment', html`<p class="muted">Not requested.</p>`);
  const { tracking } = shipment;
  return section(
    'Shipment',
    html`<dl class="facts">
      ${factOf('Status', badge(shipment.status))}
      ${factOf('Requested', time(shipment.requested_at))}
      ${shipment.answered_at === null ? '' : factOf('Answered', time(shipment.answered_at))}
      ${shipment.carrier === null ? '' : factOf('Carrier', shipment.carrier)}
      ${shipment.tracking_number === null ? '' : factOf('Tracking', shipment.tracking_number)}
      ${tracking === null ? '' : factOf('At the warehouse', words(tracking.state))}
    </dl>`,
  );
}

/** The mails and text messages that were sent, and those that were not, which can be sent again. */
export function mailsBox({ timeline }: OrderView, letters: readonly DeadLetterBody[]): Html {
  const sent = timeline.filter(({ type }) => type === 'order.customer_notified');
  const failed = letters.filter(
    ({ source, status }) => source === 'notification' && status === 'open',
  );
  return section(
    'Messages',
    html`${sent.length + failed.length === 0 ? html`<p class="muted">None yet.</p>` : ''}
    ${sent.map(
      ({ data, time: at }) =>
        html`<p>
          ${messageInWords(String(data['notification']))} <small>sent ${time(at)}</small>
        </p>`,
    )}
    ${failed.map((each) => failedLetter(each, 'Send again'))}`,
  );
}

/** `shipped`, or `shipped, by SMS`. */
function messageInWords(notification: string): string {
  return notification.replace(/^sms\/(.*)$/, '$1, by SMS');
}

function failedLetter({ id, subject, error }: DeadLetterBody, label: string): Html {
  return html`<p>
      ${messageInWords(subject)} ${badge('failed')} <span class="failure">${error}</span>
    </p>
    ${actionForm({ action: 'redrive', label, fields: hidden('dead_letter', id) })}`;
}

/** Decisions of operators, with their reasons; and what failed for good, unless a step or mail shows it. */
export function decisionsBox(
  letters: readonly DeadLetterBody[],
  refunds: readonly RefundBody[],
): Html {
  const decided = letters.map(({ decided_at, status, subject, actor, note }) => ({
    at: decided_at,
    did: `${stepTitle(subject)}: ${status}`,
    by: actor,
    note,
  }));
  const refunded = refunds.map(({ requested_at, amount_minor, currency, reason }) => ({
    at: reason === null ? null : requested_at,
    did: `Refund of ${money(amount_minor, currency)}`,
    by: null,
    note: reason,
  }));
  const rows = [...decided, ...refunded]
    .filter(({ at, by, note }) => at !== null && (by ?? note) !== null)
    .toSorted((a, b) => (a.at ?? '').localeCompare(b.at ?? ''))
    .map(({ at, did, by, note }) => [time(at ?? ''), did, by ?? '', note ?? '']);
  const others = letters.filter(
    ({ source, status }) => status === 'open' && !['checkout', 'notification'].includes(source),
  );
  const failures = others.map((each) => failedLetter(each, 'Try again'));
  return html`${others.length === 0 ? '' : html`<h2>Failed for good</h2>`} ${failures}
  ${
    rows.length === 0
      ? ''
      : html`<h2>Who did what</h2>
          ${table({
            caption: 'Decisions of operators',
            head: ['When', 'What', 'Who', 'Why'],
            rows,
            empty: '',
          })}`
  }`;
}

function section(title: string, content: Html): Html {
  return html`<section aria-label="${title}">
    <h2>${title}</h2>
    ${content}
  </section>`;
}

function factOf(name: string, value: Html | string): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}
