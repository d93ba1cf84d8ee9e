/**
 * Failed work by cause: one fingerprint is one cause. All of it is retried at a rate, or discarded with a
 * note, after a dry run. The progress of each redrive is shown to every operator.
 */
import { html } from 'hono/html';
import { isOrderId } from '../../domain/ids.ts';
import { orderNumber } from '../../domain/order-number.ts';
import {
  deadLetterGroupListSchema,
  discardManySchema,
  redriveDryRunSchema,
  redriveListSchema,
  redriveSchema,
  type RedriveBody,
} from '../schemas/dead-letters.ts';
import { apiPath, callApi } from './call-api.ts';
import type { Action, ActionForm, ConsoleContext, Html } from './page.ts';
import { actionForm, badge, hidden, orderLink, outcome, show, table, time } from './parts.ts';

const USUAL_RATE = 5;
/** How long a finished redrive is still shown. */
const SHOWN_MS = 10 * 60_000;
export const DISCARD_EFFECT = 'Closes the dead letter. The failed work stays undone.';

export async function causes(c: ConsoleContext): Promise<Html> {
  const path = '/v1/dead-letters/groups';
  const found = await callApi(c, { path, schema: deadLetterGroupListSchema });
  return show(found, ({ data }) =>
    table({
      caption: 'What fails, by cause',
      head: ['Cause', 'Open', 'First', 'Last', 'Newest', 'All of them'],
      rows: data.map((group) => [
        html`<code>${group.error}</code> <small>${badge(group.source)} ${group.subject}</small>`,
        html`<a href="${apiPath('/console/attention', { cause: group.fingerprint })}"
          >${group.open}<span class="hidden"> open</span></a
        >`,
        time(group.first_failed_at),
        time(group.last_failed_at),
        html`${group.samples.map((sample) => html`${sampleLink(sample)} `)}`,
        html`<div class="actions">${bulkForms(group.fingerprint)}</div>`,
      ]),
      empty: 'Nothing has failed for good.',
    }),
  );
}

/** The order of a dead letter, by its number. */
export function sampleLink({ order_id: id }: { readonly order_id: string | null }): Html | string {
  return id === null ? 'no order' : orderLink(id, isOrderId(id) ? orderNumber(id) : id);
}

/** Each asks for a dry run, whose notice has the form that is meant. */
export function bulkForms(fingerprint: string): Html {
  const fields = html`${hidden('fingerprint', fingerprint)} ${hidden('rate', String(USUAL_RATE))}`;
  return html`${actionForm({ action: 'try_redrive', label: 'Retry all…', fields, tone: 'secondary' })}
  ${actionForm({ action: 'try_discard', label: 'Discard all…', fields, tone: 'secondary' })}`;
}

export const bulkActions = {
  async try_redrive(c, form) {
    const { fingerprint, body } = redriveBody(form, true);
    return outcome(
      await callApi(c, { ...redriveCall(body), schema: redriveDryRunSchema }),
      (dry) => {
        const fields = html`${hidden('fingerprint', fingerprint)}
          <label
            >At most per second
            <input name="rate" type="number" min="1" max="500" value="${dry.rate}" required />
          </label>
          <label>Note <input name="note" maxlength="500" /></label>`;
        const label = `Retry ${dry.redriving}`;
        return html`<p>
            Would retry ${dry.redriving} of ${dry.matching}: <code>${fingerprint}</code>
          </p>
          <div class="inline">${actionForm({ action: 'redrive', label, fields })}</div>`;
      },
    );
  },
  async redrive(c, form) {
    const { body } = redriveBody(form, false);
    const result = await callApi(c, { ...redriveCall(body), schema: redriveSchema });
    return outcome(
      result,
      ({ redriving, rate }) => `Retrying ${redriving}, at most ${rate} a second.`,
    );
  },
  async try_discard(c, form) {
    const fingerprint = form.text('fingerprint');
    const call = discardCall({ fingerprint, note: 'dry run', dry_run: true });
    return outcome(await callApi(c, call), ({ discarded, refused }) => {
      const fields = html`${hidden('fingerprint', fingerprint)}
        <label>Note <input name="note" maxlength="500" required /></label>`;
      const label = `Discard ${discarded}`;
      return html`<p>
          Would discard ${discarded}: <code>${fingerprint}</code>. ${DISCARD_EFFECT}
          ${refused === 0 ? '' : `${refused} wait for a decision and stay open.`}
        </p>
        <div class="inline">
          ${actionForm({ action: 'discard', label, fields, tone: 'danger' })}
        </div>`;
    });
  },
  async discard(c, form) {
    const body = { fingerprint: form.text('fingerprint'), ...noteOf(form), dry_run: false };
    return outcome(
      await callApi(c, discardCall(body)),
      ({ discarded }) => `Discarded ${discarded}.`,
    );
  },
} satisfies Record<string, Action>;

/** The note of a form, when it has one. */
export function noteOf(form: ActionForm) {
  const note = form.text('note');
  return note === '' ? {} : { note };
}

function redriveBody(form: ActionForm, isDry: boolean) {
  const fingerprint = form.text('fingerprint');
  const rate = Number(form.text('rate'));
  return { fingerprint, body: { fingerprint, rate, dry_run: isDry, ...noteOf(form) } };
}

function redriveCall(body: unknown) {
  return { method: 'POST', path: '/v1/dead-letters/redrive', body } as const;
}

function discardCall(body: unknown) {
  return {
    method: 'POST',
    path: '/v1/dead-letters/discard',
    body,
    schema: discardManySchema,
  } as const;
}

/** The redrives that run, and those that have just ended. */
export async function redrives(c: ConsoleContext): Promise<Html> {
  const path = '/v1/dead-letters/redrives?limit=5';
  return show(await callApi(c, { path, schema: redriveListSchema }), ({ data }) => {
    const since = Date.now() - SHOWN_MS;
    const shown = data.filter(({ updated_at: at }) => Date.parse(at) > since);
    return html`${shown.map(progress)}`;
  });
}

function progress(run: RedriveBody): Html {
  const { status, redriving, redriven, failed, actor, fingerprint } = run;
  const text = `${redriven} of ${redriving} retried${failed === 0 ? '' : `, ${failed} could not start`}`;
  return html`<section class="box">
    <p>${badge(status)} ${text}, by ${actor}: <code>${fingerprint}</code></p>
    <progress
      aria-label="${text}"
      max="${Math.max(redriving, 1)}"
      value="${redriven + failed}"
    ></progress>
  </section>`;
}
