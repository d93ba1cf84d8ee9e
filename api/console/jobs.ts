/** Jobs: reports, imports and bulk actions with a bar each, and the form that requests a report. */
import { html } from 'hono/html';
import { isEndedJob, progressInWords } from '../../domain/jobs.ts';
import { REPORT_TYPES } from '../../domain/reports.ts';
import { startOfDay } from '../../domain/time-zone.ts';
import { listOf } from '../schemas/common.ts';
import { anyJobSchema, type JobBody } from '../schemas/jobs.ts';
import { apiPath, callApi } from './call-api.ts';
import type { Action, ConsoleContext, ConsolePage, Html } from './page.ts';
import {
  actionForm,
  badge,
  hidden,
  lazyPart,
  outcome,
  problemBox,
  table,
  time,
  words,
} from './parts.ts';

/** Of each kind: a person looks for what was asked for lately. */
const SHOWN = 10;
const REFRESH_SECONDS = 2;
const PATHS: Readonly<Record<JobBody['object'], string>> = {
  report: '/v1/reports',
  import: '/v1/imports',
  bulk: '/v1/bulk',
};

const KINDS: Readonly<Record<JobBody['object'], string>> = {
  report: 'reports',
  import: 'imports',
  bulk: 'bulk actions',
};

/** `timeZone`: the shop's, in which the days of a report begin. */
export function createJobsPage(timeZone: string): ConsolePage {
  return {
    path: '/jobs',
    title: 'Jobs',
    async view(c) {
      // There from the start, so that an action shows what it did.
      const content = await jobList(c);
      const { kind, after } = c.req.query();
      return html`${lazyPart('list', REFRESH_SECONDS, { content, query: { kind, after } })}
        <h2>Request a report</h2>
        ${reportForm(timeZone)}`;
    },
    parts: { list: jobList },
    actions: {
      request: requestReport(timeZone),
      cancel: act('cancel', ({ status }) => `It is ${words(status)}.`),
      resume: act('resume', () => 'It continues after its last batch.'),
      approve: act('approve', () => 'It is approved, and begins.'),
    },
  };
}

function requestReport(timeZone: string): Action {
  return async (c, form) => {
    // What is no date is sent as it is: the API says what is wrong with it.
    const day = (field: string) => startOfDay(form.text(field), timeZone) ?? form.text(field);
    const body = {
      type: form.text('type'),
      from: day('from'),
      to: day('to'),
      ...(form.text('email') !== '' && { notify_email: form.text('email') }),
    };
    const call = { method: 'POST', path: PATHS.report, body, key: form.key } as const;
    return outcome(
      await callApi(c, { ...call, schema: anyJobSchema }),
      ({ id }) => `Requested: ${id}.`,
    );
  };
}

function act(verb: 'approve' | 'cancel' | 'resume', done: (job: JobBody) => string): Action {
  return async (c, form) => {
    const [, kind] = Object.entries(PATHS).find(([each]) => each === form.text('kind')) ?? [];
    const path = `${kind ?? PATHS.report}/${encodeURIComponent(form.text('id'))}/${verb}`;
    return outcome(await callApi(c, { method: 'POST', path, schema: anyJobSchema }), done);
  };
}

/** The newest of each kind, or what is older of one. */
async function jobList(c: ConsoleContext): Promise<Html> {
  const { kind, after } = c.req.query();
  const listed = Object.entries(PATHS).filter(([each]) => kind === undefined || kind === each);
  const lists = await Promise.all(
    listed.map(([, path]) => {
      const page = apiPath(path, { limit: SHOWN, starting_after: after });
      return callApi(c, { path: page, schema: listOf(anyJobSchema) });
    }),
  );
  const jobs: JobBody[] = lists.flatMap((list) => (list.ok ? list.value.data : []));
  const problems = lists.flatMap((list) => (list.ok ? [] : [problemBox(list.problem)]));
  return html`${problems}
  ${table({
    caption: 'Jobs, newest first',
    head: ['What', 'State', 'Progress', 'Requested', 'Files', 'Act'],
    rows: jobs
      .toSorted((a, b) => (a.created_at < b.created_at ? 1 : -1))
      .map((job) => [
        html`${job.object}: ${words(job.type)} <small><code>${job.id}</code></small>`,
        html`${badge(job.status)} <small>${job.error ?? ''}</small>`,
        bar(job),
        html`${time(job.created_at)} <small>${job.actor}</small>`,
        html`${job.files.map(({ name, url }) => html`<a href="${url}" download>${name}</a> `)}`,
        buttons(job),
      ]),
    empty: 'Nothing was requested yet.',
  })}
  ${kind === undefined ? '' : html`<p><a href="/console/jobs">The newest of each kind</a></p>`}
  ${lists.map((list) => (list.ok && list.value.has_more ? olderLink(list.value.data.at(-1)) : ''))}`;
}

function olderLink(last: JobBody | undefined): Html | string {
  if (last === undefined) return '';
  const href = apiPath('/console/jobs', { kind: last.object, after: last.id });
  return html`<p><a href="${href}">Older: ${KINDS[last.object]}</a></p>`;
}

/** Without a value the bar says that something goes on. */
function bar({ id, object, type, progress, status }: JobBody): Html {
  const { percent } = progress;
  const value =
    percent === null ? (isEndedJob(status) ? html`value="0"` : '') : html`value="${percent}"`;
  return html`<progress max="100" ${value} aria-label="${object}: ${words(type)}, ${id}"></progress>
    <small>${progressInWords(progress)}</small>`;
}

function buttons({ id, object, status, started_at: startedAt }: JobBody): Html | string {
  const fields = html`${hidden('kind', object)} ${hidden('id', id)}`;
  if (!isEndedJob(status)) {
    const confirm = 'Cancel the job after its running batch?';
    const cancel = actionForm({
      action: 'cancel',
      label: 'cancel',
      fields,
      tone: 'secondary',
      confirm,
    });
    return status === 'awaiting_approval'
      ? html`${actionForm({ action: 'approve', label: 'approve', fields })} ${cancel}`
      : cancel;
  }
  if (status === 'succeeded' || startedAt === null) return '';
  return actionForm({ action: 'resume', label: 'resume', fields, tone: 'secondary' });
}

function reportForm(timeZone: string): Html {
  return actionForm({
    action: 'request',
    label: 'Request',
    fields: html`<div class="filter">
        <label>
          Report
          <select name="type">
            ${REPORT_TYPES.map((type) => html`<option value="${type}">${words(type)}</option>`)}
          </select>
        </label>
        <label>From <input name="from" type="date" required /></label>
        <label>Until before <input name="to" type="date" required /></label>
        <label
          >Mail to <input name="email" type="email" maxlength="254" placeholder="optional"
        /></label>
      </div>
      <p><small>Days in ${timeZone}. The last one has to be over.</small></p>`,
  });
}
