/** The scheduled work on the page Health: when it ran and runs next, and buttons to run, pause and resume it. */
import { html } from 'hono/html';
import { scheduleListSchema, scheduleSchema, type ScheduleBody } from '../schemas/schedules.ts';
import { callApi } from './call-api.ts';
import type { Action, ConsoleContext, Html } from './page.ts';
import { actionForm, badge, hidden, outcome, show, table, time } from './parts.ts';

/** The part `schedules`, with its heading. */
export async function schedules(c: ConsoleContext): Promise<Html> {
  const found = await callApi(c, { path: '/v1/schedules', schema: scheduleListSchema });
  const list = show(found, ({ data }) =>
    table({
      caption: 'Schedules',
      head: ['What', 'State', 'Last run', 'Next run', 'Act'],
      rows: data.map((schedule) => {
        const [last] = schedule.recent;
        const [next] = schedule.next_at;
        return [
          html`${schedule.summary} <small><code>${schedule.id}</code></small>`,
          stateOf(schedule),
          last === undefined ? 'none yet' : time(last.started_at),
          next === undefined ? '' : time(next),
          buttons(schedule),
        ];
      }),
      empty: 'There is no schedule yet: a worker makes them.',
    }),
  );
  return html`<h2>Schedules</h2>
    ${list}`;
}

function stateOf({ paused, note }: ScheduleBody): Html {
  if (!paused) return badge('on', 'good');
  return html`${badge('paused', 'bad')} <small>${note ?? ''}</small>`;
}

function buttons({ id, paused }: ScheduleBody): Html {
  const form = (action: string, label: string, fields: Html | string = '') =>
    actionForm({
      action,
      label,
      fields: html`${hidden('id', id)} ${fields}`,
      tone: 'secondary',
    });
  const pause = html`<details>
    <summary role="button" class="outline secondary">pause</summary>
    ${form('pause', 'Pause', html`<label>Why <input name="note" required maxlength="200" /></label>`)}
  </details>`;
  return html`<div class="actions">
    ${form('trigger', 'run now')} ${paused ? form('resume', 'resume') : pause}
  </div>`;
}

function act(verb: 'trigger' | 'pause' | 'resume', done: string): Action {
  return async (c, form) => {
    const path = `/v1/schedules/${encodeURIComponent(form.text('id'))}/${verb}`;
    const body = verb === 'pause' ? { body: { note: form.text('note') } } : {};
    const result = await callApi(c, { method: 'POST', path, ...body, schema: scheduleSchema });
    return outcome(result, ({ id }) => `${id} ${done}.`);
  };
}

export const scheduleActions = {
  trigger: act('trigger', 'runs now, unless it is running'),
  pause: act('pause', 'is paused'),
  resume: act('resume', 'is resumed'),
};
