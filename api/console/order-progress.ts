/** How an order got on: the decisions it waits for, the steps that are retried, its timeline. */
import { html } from 'hono/html';
import { z } from 'zod';
import { stepTitle } from '../../domain/checkout-steps.ts';
import type { OrderView } from '../schemas/orders.ts';
import type { Html } from './page.ts';
import { actionForm, capitalized, elapsed, hidden, money, time, times, words } from './parts.ts';

/** The steps that wait for a person, each with what can be decided and what that does. */
export function attentionBox(order: OrderView): Html | string {
  if (order.attention === null) return '';
  const { since, steps } = order.attention;
  return html`<section class="box bad" aria-labelledby="attention">
    <h2 id="attention">Waits for a person, asked ${time(since)}</h2>
    ${steps.map(
      (waiting) =>
        html`<p>
            <strong>${stepTitle(waiting.step)}</strong> failed ${times(waiting.attempts)}, first
            ${time(waiting.first_failed_at)}, last ${time(waiting.last_failed_at)}:
            <span class="failure">${waiting.last_failure}</span>
          </p>
          ${actionForm({
            action: 'resolve',
            fields: html`${hidden('dead_letter', waiting.dead_letter_id)}
              <label>
                Note, kept with the decision
                <input name="note" maxlength="500" autocomplete="off" />
              </label>`,
            buttons: waiting.decisions.map(({ action, effect }) => ({
              label: capitalized(action),
              choice: action,
              effect,
              ...(action !== 'retry' && { tone: action === 'cancel' ? 'danger' : 'secondary' }),
            })),
          })}`,
    )}
  </section>`;
}

/** The steps that are being retried now. */
export function troubleBox({ trouble }: OrderView): Html | string {
  if (trouble.length === 0) return '';
  return html`<section class="box busy" aria-label="Retried steps">
    ${trouble.map(
      (each) =>
        html`<p>
          <strong>${stepTitle(each.step)}</strong> is being retried: failed ${times(each.attempts)},
          first ${time(each.first_failed_at)}, last
          <span class="failure">${each.last_failure}</span>.
          ${each.next_attempt_at === null ? '' : html`Next try ${time(each.next_attempt_at)}.`}
        </p>`,
    )}
  </section>`;
}

/** Events that say something went wrong. */
const BAD =
  /declined|expired|cancelling|cancelled|failed|needs_attention|discrepancy_found|disputed|fraud_warning|review_opened|held/;

export function timelineList({ timeline, created_at, currency }: OrderView): Html {
  const createdAt = Date.parse(created_at);
  return html`<ol class="timeline">
    ${timeline.map(
      ({ type, time: at, data }) =>
        html`<li class="${BAD.test(type) ? 'bad' : ''}">
          <time datetime="${at}" title="${at}">+${elapsed(Date.parse(at) - createdAt)}</time>
          <div>
            <strong>${titleOf(type, data)}</strong>
            <small
              >${Object.entries(data).map(([name, value]) => fact(name, value, { currency, ...data }))}</small
            >
          </div>
        </li>`,
    )}
  </ol>`;
}

function titleOf(type: string, { channel }: Data): string {
  if (channel === 'sms' && type === 'order.customer_notified') return 'text message sent';
  if (channel === 'sms' && type === 'order.notification_failed') return 'text message failed';
  return words(type.replace(/^order\./, '').replace('.', ' '));
}

/** An amount is in the currency that stands beside it. */
function fact(name: string, value: unknown, { currency }: Data): Html | string {
  if (name === 'currency') return '';
  if (typeof value === 'number' && name.endsWith('_minor')) {
    return html`<span>${words(name.slice(0, -6))}: ${money(value, String(currency))}</span> `;
  }
  const texts = (Array.isArray(value) ? value : [value]).map(textOf);
  const text = texts
    .map((each) => (/^[a-z]+(?:_[a-z]+)+$/.test(each) ? words(each) : each))
    .join(', ');
  return html`<span>${words(name)}: ${text}</span> `;
}

/** Of a line what is sent of it, of anything else its words. */
function textOf(value: unknown): string {
  const line = lineSchema.safeParse(value);
  if (!line.success) return stepTitle(String(value));
  const { sku, quantity, reserved_quantity: reserved } = line.data;
  return `${reserved} of ${quantity} × ${sku}`;
}

const lineSchema = z.object({
  sku: z.string(),
  quantity: z.number(),
  reserved_quantity: z.number(),
});

type Data = Readonly<Record<string, unknown>>;
