/** How an order got on: the decisions it waits for, the steps that are retried, its timeline. */
import { html } from 'hono/html';
import type { OrderView } from '../schemas/orders.ts';
import type { Html } from './page.ts';
import { facts, subjectTitle, type Data } from './facts.ts';
import { actionForm, capitalized, elapsed, hidden, isPast, time, times, words } from './parts.ts';

/** The steps that wait for a person, each with what can be decided and what that does. */
export function attentionBox(order: OrderView): Html | string {
  if (order.attention === null) return '';
  const { since, steps } = order.attention;
  return html`<section class="box bad" aria-labelledby="attention">
    <h2 id="attention">Waits for a person, asked ${time(since)}</h2>
    ${steps.map(
      (waiting) =>
        html`<p>
            <strong>${subjectTitle(waiting.step)}</strong> failed ${times(waiting.attempts)}, first
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
          <strong>${subjectTitle(each.step)}</strong> is being retried: failed
          ${times(each.attempts)}, first ${time(each.first_failed_at)}, last
          <span class="failure">${each.last_failure}</span>.
          ${each.next_attempt_at === null ? '' : nextTry(each.next_attempt_at)}
        </p>`,
    )}
  </section>`;
}

/** A try that is overdue waits for Temporal or for a worker. */
function nextTry(at: string): Html {
  return isPast(at)
    ? html`The next try was due ${time(at)}: does a worker run?`
    : html`Next try ${time(at)}.`;
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
            <small>${facts({ currency, ...data })}</small>
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
