/** The money of an order: what was paid and returned, and the forms that return more. */
import { html } from 'hono/html';
import { fromMinor, toMinor } from '../../domain/money.ts';
import { REFUND_FOLLOWED_MS } from '../../domain/refund.ts';
import { refundSchema, type RefundBody } from '../schemas/refunds.ts';
import { MAX_LINES, type OrderView } from '../schemas/orders.ts';
import { callApi } from './call-api.ts';
import type { Action, ActionForm, ConsoleContext, Html } from './page.ts';
import {
  actionForm,
  badge,
  fact,
  hidden,
  money,
  outcome,
  section,
  table,
  time,
  words,
} from './parts.ts';

/** The statuses in which a cancel is the way to give money back. */
const CANCELLABLE: readonly string[] = ['placed', 'reserved', 'paid'];
const PAID: readonly string[] = ['captured', 'partially_refunded', 'refunded'];
const FOLLOWED_DAYS = REFUND_FOLLOWED_MS / 86_400_000;
/** Refunds that return nothing: what they were of can be refunded again. */
const UNDONE: readonly string[] = ['failed', 'canceled'];

/** `refunds`: the order's, as operators read them. */
export function moneyBox(order: OrderView, refunds: readonly RefundBody[]): Html {
  const { payment, status } = order;
  if (payment === null) return section('Money', html`<p class="muted">No payment.</p>`);
  const left = leftToRefund(order, payment);
  return section(
    'Money',
    html`${paymentFacts(order, payment)} ${refunds.map(refundLine)}
    ${left > 0 ? [linesForm(order), amountForm(left, payment.currency)] : ''}
    ${CANCELLABLE.includes(status) ? cancelForm() : ''}`,
  );
}

type PaymentView = NonNullable<OrderView['payment']>;

function paymentFacts(order: OrderView, payment: PaymentView): Html {
  const { currency } = payment;
  const isOpen = payment.status === 'authorizing' || payment.status === 'requires_action';
  const amounts: readonly (readonly [string, number])[] = [
    ['To pay for what is sent', order.due_minor === order.total_minor ? 0 : order.due_minor],
    ['Store credit', order.credit_minor],
    [isOpen ? 'To authorize' : 'Authorized', payment.amount_minor],
    ['Captured', payment.captured_minor],
    ['Refunded', payment.refunded_minor],
    ['Refunded as credit', payment.credited_minor],
    ['Taken back by the bank', payment.disputed_minor],
  ];
  const isOptional = (name: string): boolean => /credit|bank|sent/.test(name);
  return html`<dl class="facts">
    ${fact('Payment', badge(payment.status, 'quiet'))}
    ${amounts
      .filter(([name, minor]) => minor !== 0 || !isOptional(name))
      .map(([name, minor]) => fact(name, money(minor, currency)))}
    ${payment.decline_code === null ? '' : fact('Declined', words(payment.decline_code))}
  </dl>`;
}

function refundLine(refund: RefundBody): Html {
  const { amount_minor: amount, credit_minor: credit, currency, cause, status } = refund;
  const lines = refund.lines.map(
    ({ quantity, sku, restock }) => `${quantity} × ${sku}${restock ? ', back in stock' : ''}`,
  );
  const inCredit = credit === 0 ? '' : `, ${money(credit, currency)} of it as store credit`;
  return html`<p>
    ${money(amount, currency)} ${badge(status)} ${lines.join('; ')}
    <small class="muted">
      refund, ${CAUSES[cause]}, ${time(refund.requested_at)}${inCredit}
      ${refund.provider_reference === null ? '' : html`<code>${refund.provider_reference}</code>`}
      ${refund.failure_code === null ? '' : html`: ${words(refund.failure_code)}`}
    </small>
    ${followUp(refund)}
  </p>`;
}

const FOLLOW_UPS: Readonly<Partial<Record<RefundBody['status'], string>>> = {
  pending: `The provider is not sure yet. It is followed for ${FOLLOWED_DAYS} days, then a person is asked.`,
  requires_action: 'The customer has to act: the payment provider has written to them.',
  needs_attention: 'Its outcome is unknown: decide below, or under Attention.',
  failed: 'Nothing was returned. The amount can be refunded again, also as store credit.',
  canceled: 'Nothing was returned. The amount can be refunded again.',
};

const CAUSES: Readonly<Record<RefundBody['cause'], string>> = {
  requested: 'requested',
  order_cancelled: 'order cancelled',
  provider: 'made at the payment provider',
};

function followUp({ status }: RefundBody): Html | string {
  const text = FOLLOW_UPS[status];
  return text === undefined ? '' : html`<br /><small>${text}</small>`;
}

/** What the customer has paid, by card and by credit, less what refunds and banks return. */
function leftToRefund(
  { status, due_minor: due, refunds }: OrderView,
  payment: PaymentView,
): number {
  if (status.startsWith('cancel') || !PAID.includes(payment.status)) return 0;
  const paid = due - payment.disputed_minor;
  return refunds.filter(isStanding).reduce((left, each) => left - each.amount_minor, paid);
}

function isStanding({ status }: { readonly status: string }): boolean {
  return !UNDONE.includes(status);
}

/** Units to refund at their price, with what comes back to the stock. */
function linesForm({ lines, refunds, status }: OrderView): Html {
  const isShipped = status === 'shipped' || status === 'delivered';
  const returned = refunds.filter(isStanding).flatMap((refund) => refund.lines);
  const rows = lines.flatMap(({ sku, name, quantity, reserved_quantity: reserved }, at) => {
    const units = returned.filter((line) => line.sku === sku);
    const left = units.reduce((sum, line) => sum - line.quantity, reserved ?? quantity);
    if (left < 1) return [];
    return [
      [
        html`${name} ${hidden(`sku_${at}`, sku)}`,
        html`<span class="units">
          <input
            name="quantity_${at}"
            type="number"
            min="0"
            max="${left}"
            value="0"
            aria-label="Units of ${name} to refund"
          />
          of ${left}</span
        >`,
        ...(isShipped ? [restockBox(name, at)] : []),
      ],
    ];
  });
  if (rows.length === 0) return html``;
  return html`<details>
    <summary role="button" class="secondary outline">Refund units</summary>
    ${actionForm({
      action: 'refund_units',
      label: 'Refund these units',
      confirm: 'Refund these units? The customer gets their price back, and a mail.',
      fields: html`${table({
        caption: 'Units to refund',
        head: ['Product', 'Units', ...(isShipped ? ['Back to stock'] : [])],
        rows,
        empty: '',
      })}
      ${refundFields()}`,
    })}
  </details>`;
}

function restockBox(name: string, at: number): Html {
  return html`<input
    name="restock_${at}"
    type="checkbox"
    value="yes"
    aria-label="${name}: the units are back in stock"
  />`;
}

function amountForm(left: number, currency: string): Html {
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
        ${refundFields()}`,
    })}
  </details>`;
}

/** Where the money goes, and why. */
function refundFields(): Html {
  return html`<label>
      To
      <select name="to">
        <option value="original">the card, then store credit</option>
        <option value="credit">store credit</option>
      </select>
    </label>
    <label>Reason, for operators <input name="reason" maxlength="500" required /></label>`;
}

function cancelForm(): Html {
  return html`<details>
    <summary role="button" class="secondary outline">Cancel the order</summary>
    ${actionForm({
      action: 'cancel',
      label: 'Cancel the order',
      tone: 'danger',
      confirm: 'Cancel the order? Completed steps are compensated, and the customer is notified.',
    })}
  </details>`;
}

export const refundActions = {
  async refund(c, form) {
    const amount = toMinor(form.text('amount'), form.text('currency'));
    if (amount === null)
      return { tone: 'bad', text: `"${form.text('amount')}" is no amount, e.g. 12.50` };
    return request(c, form, { amount_minor: amount });
  },
  async refund_units(c, form) {
    const lines = Array.from({ length: MAX_LINES }, (_, at) => ({
      sku: form.text(`sku_${at}`),
      quantity: Number(form.text(`quantity_${at}`)),
      restock: form.text(`restock_${at}`) === 'yes',
    })).filter(({ quantity }) => quantity !== 0);
    if (lines.length === 0) return { tone: 'bad', text: 'Enter how many units to refund.' };
    return request(c, form, { lines });
  },
} satisfies Record<string, Action>;

async function request(c: ConsoleContext, form: ActionForm, what: object) {
  const found = await callApi(c, {
    method: 'POST',
    path: `/v1/orders/${encodeURIComponent(c.req.param('id') ?? '')}/refunds`,
    key: form.key,
    body: { ...what, reason: form.text('reason'), to: form.text('to') || 'original' },
    schema: refundSchema,
  });
  return outcome(found, (made) => `Refund of ${money(made.amount_minor, made.currency)} accepted.`);
}
