/** What an order is: customer, lines, shipment, mails, and who did what. Its money: order-money.ts. */
import { html } from 'hono/html';
import type { DeadLetterBody } from '../schemas/dead-letters.ts';
import type { OrderView } from '../schemas/orders.ts';
import type { RefundBody } from '../schemas/refunds.ts';
import { messageTitle, subjectTitle } from './facts.ts';
import type { Html } from './page.ts';
import { actionForm, badge, fact, hidden, money, section, table, time, words } from './parts.ts';

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
  const rows = lines.map(({ sku, name, quantity, unit_price_minor: price, ...line }) => [
    html`${quantity} × ${name}
      <small class="muted">${sku}</small> ${sentOf(quantity, line.reserved_quantity)}`,
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

/** What the warehouse has of a line; nothing when it has all. */
function sentOf(quantity: number, reserved: number | null): Html | string {
  if (reserved === null || reserved === quantity) return '';
  return badge(reserved === 0 ? 'not there, not sent' : `only ${reserved} there`, 'busy');
}

export function shipmentBox({ shipment }: OrderView): Html {
  if (shipment === null) return section('Shipment', html`<p class="muted">Not requested.</p>`);
  const { tracking } = shipment;
  return section(
    'Shipment',
    html`<dl class="facts">
      ${fact('Status', badge(shipment.status))} ${fact('Requested', time(shipment.requested_at))}
      ${shipment.answered_at === null ? '' : fact('Answered', time(shipment.answered_at))}
      ${shipment.carrier === null ? '' : fact('Carrier', shipment.carrier)}
      ${shipment.tracking_number === null ? '' : fact('Tracking', shipment.tracking_number)}
      ${tracking === null ? '' : fact('At the warehouse', words(tracking.state))}
    </dl>`,
  );
}

/** The mails and text messages that were sent, and those that were not, which can be sent again. */
export function mailsBox({ timeline }: OrderView, deadLetters: readonly DeadLetterBody[]): Html {
  const sent = timeline.filter(({ type }) => type === 'order.customer_notified');
  const failed = deadLetters.filter(
    ({ source, status }) => source === 'notification' && status === 'open',
  );
  return section(
    'Messages',
    html`${sent.length + failed.length === 0 ? html`<p class="muted">None yet.</p>` : ''}
    ${sent.map(
      ({ data, time: at }) =>
        html`<p>${messageTitle(String(data['notification']))} <small>sent ${time(at)}</small></p>`,
    )}
    ${failed.map((each) => failedWork(each, 'Send again'))}`,
  );
}

function failedWork({ id, subject, error }: DeadLetterBody, label: string): Html {
  return html`<p>
      ${subjectTitle(subject)} ${badge('failed')} <span class="failure">${error}</span>
    </p>
    ${actionForm({ action: 'redrive', label, fields: hidden('dead_letter', id) })}`;
}

/** Decisions of operators, with their reasons; and what failed for good, unless a step or mail shows it. */
export function decisionsBox(
  deadLetters: readonly DeadLetterBody[],
  refunds: readonly RefundBody[],
): Html {
  const decided = deadLetters.map(({ decided_at, status, subject, actor, note }) => ({
    at: decided_at,
    did: `${subjectTitle(subject)}: ${status}`,
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
  const others = deadLetters.filter(
    ({ source, status }) => status === 'open' && !['checkout', 'notification'].includes(source),
  );
  const failures = others.map((each) => failedWork(each, 'Try again'));
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
