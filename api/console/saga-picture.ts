/** The saga as a picture: a list for a screen reader, drawn by its classes. */
import { html } from 'hono/html';
import type { Html } from './page.ts';
import { elapsed, isPast, time, times, words } from './parts.ts';
import type { Mark, SagaStep, StepState } from './saga.ts';

/** Each in a field of 16 by 16; the state is written beside it. */
const ICONS: Readonly<Record<StepState, string>> = {
  waiting: 'M8 4v4l2.5 2',
  running: 'M4.5 8h0M8 8h0M11.5 8h0',
  retrying: 'M11.5 6.5A4 4 0 1 0 12 9M12 4v3H9',
  done: 'M4.5 8.5 7 11l4.5-5.5',
  failed: 'M5.5 5.5l5 5M10.5 5.5l-5 5',
  compensated: 'M6.5 4.5 4 7l2.5 2.5M4 7h5a2.5 2.5 0 0 1 0 5H7',
  skipped: 'M4.5 5 8 8l-3.5 3M8.5 5 12 8l-3.5 3',
  not_needed: 'M5 8h6',
};

export function sagaPicture(steps: readonly SagaStep[]): Html {
  return html`<ol class="saga">
    ${steps.map(
      ({ by, compensation, ...step }) =>
        html`<li>
          ${card(step, html`<small class="muted">${by}</small>`, 'forward')}
          ${compensation === null ? '' : card(compensation, '', 'backward')}
        </li>`,
    )}
  </ol>`;
}

function card(mark: Mark, by: Html | string, way: 'forward' | 'backward'): Html {
  const { label, state, afterMs, attempts, failure, nextAttemptAt, waitsFor } = mark;
  const prefix = way === 'backward' ? html`<span class="hidden">Compensation: </span>` : '';
  return html`<div class="step ${way} ${state}">
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="7.25" />
      <path d="${ICONS[state]}" />
    </svg>
    <p>${prefix}<strong>${label}</strong> ${by}</p>
    <p class="state">
      ${way === 'backward' && state === 'waiting' ? 'ready' : words(state)}
      ${afterMs === null ? '' : html`<small>+${elapsed(afterMs)}</small>`}
    </p>
    ${waitsFor === null ? '' : html`<p><small>waits for ${waitsFor}</small></p>`}
    ${attempts === 0 ? '' : html`<p><small>failed ${times(attempts)}</small></p>`}
    ${failure === null ? '' : html`<p class="failure">${failure}</p>`}
    ${nextAttemptAt === null ? '' : html`<p><small>${isPast(nextAttemptAt) ? 'overdue, due' : 'next try'} ${time(nextAttemptAt)}</small></p>`}
  </div>`;
}
