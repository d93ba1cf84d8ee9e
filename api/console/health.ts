/** Whether it works: readiness, breakers, limits, schedules, invariants, reconciliations. */
import { html } from 'hono/html';
import { z } from 'zod';
import type { Services } from '../context.ts';
import { metricValues } from '../operations/trends.ts';
import { invariantListSchema } from '../schemas/invariants.ts';
import {
  reconciliationListSchema,
  reconciliationSchema,
  reconciliationViewSchema,
} from '../schemas/reconciliations.ts';
import { apiPath, callApi, fetchApi } from './call-api.ts';
import { sampleLink } from './causes.ts';
import { facts } from './facts.ts';
import { scheduleActions, schedules } from './schedules.ts';
import type { ActionForm, ConsoleContext, ConsolePage, Html, Notice } from './page.ts';
import {
  actionForm,
  badge,
  duration,
  lazyPart,
  outcome,
  show,
  table,
  time,
  words,
} from './parts.ts';

/** An older result is not worth reading whole tables again. */
const INVARIANTS_MAX_AGE_SECONDS = 3_600;

export const healthPage: ConsolePage = {
  path: '/health',
  title: 'Health',
  view: async (c) =>
    html`<p class="muted">As this process sees it.</p>
      ${lazyPart('now', 5, { content: await now(c) })} ${lazyPart('schedules')}
      <h2>Invariants</h2>
      ${lazyPart('invariants')}
      <h2>Reconciliations</h2>
      ${await reconciliations(c)}`,
  parts: { now, schedules, invariants },
  actions: { reconcile, ...scheduleActions },
};

async function now(c: ConsoleContext): Promise<Html> {
  const { registry } = c.var.watched.metrics;
  const [readiness, ...tables] = await Promise.all([
    parts(c),
    ...TABLES.map((each) => metricTable(registry, each)),
  ]);
  return html`${readiness}
    <div class="metrics">${tables}</div>`;
}

const readinessSchema = z.object({
  status: z.string(),
  dependencies: z
    .record(
      z.string(),
      z.object({
        status: z.string(),
        reason: z.string().optional(),
        reasons: z.array(z.string()).default([]),
        breakers: z.record(z.string(), z.string()).default({}),
      }),
    )
    .default({}),
});

const UP = ['up', 'ready', 'closed'];
const stateBadge = (state: string): Html => badge(state, UP.includes(state) ? 'good' : 'bad');

/** Not by `callApi`: a 503 of it is no problem document. */
async function parts(c: ConsoleContext): Promise<Html> {
  const response = await fetchApi(c, { path: '/readyz' });
  const { status, dependencies } = readinessSchema.parse(await response.json());
  const rows = Object.entries(dependencies).map(([name, part]) => [
    name,
    stateBadge(part.status),
    html`${Object.entries(part.breakers).map(([each, state]) => html`${each} ${stateBadge(state)} `)}`,
    [part.reason ?? [], part.reasons].flat().join('; '),
  ]);
  const head = ['Part', 'State', 'Breakers', 'Why'];
  return html`<h2>Readiness ${stateBadge(status)}</h2>
    ${table({ caption: 'Parts', head, rows, empty: 'The details are on the operations port.' })}`;
}

interface MetricTable {
  readonly title: string;
  /** The label whose values are the rows. */
  readonly label: string;
  /** Heads of columns with their metrics. */
  readonly columns: Readonly<Record<string, string>>;
  readonly write?: (value: number) => string;
}
const age = (seconds: number): string => duration(seconds * 1_000);

const TABLES: readonly MetricTable[] = [
  {
    title: 'Requests by class',
    label: 'class',
    columns: {
      Running: 'holdfast_requests_running',
      Waiting: 'holdfast_requests_queued',
      Rejected: 'holdfast_requests_rejected_total',
    },
  },
  {
    title: 'Connections to PostgreSQL',
    label: 'pool',
    columns: {
      'In use': 'holdfast_database_connections_in_use',
      Waiting: 'holdfast_database_connections_waiting',
    },
  },
  {
    title: 'Subscriptions',
    label: 'subscription',
    columns: { Lag: 'holdfast_subscription_lag_seconds' },
    write: age,
  },
  {
    title: 'Open discrepancies',
    label: 'kind',
    columns: { Open: 'holdfast_discrepancies_open' },
  },
];

async function metricTable(
  registry: Services['metrics']['registry'],
  { title, label, columns, write = String }: MetricTable,
): Promise<Html> {
  const heads = Object.keys(columns);
  const rows = new Map<string, number[]>();
  for (const [at, name] of Object.values(columns).entries()) {
    for (const { labels, value } of await metricValues(registry, name)) {
      const key = String(labels[label]);
      const row = rows.get(key) ?? heads.map(() => 0);
      row[at] = (row[at] ?? 0) + value;
      rows.set(key, row);
    }
  }
  return html`<section>
    <h2>${title}</h2>
    ${table({
      caption: title,
      head: [label[0]?.toUpperCase() + label.slice(1), ...heads],
      rows: [...rows].map(([key, values]) => [key, ...values.map(write)]),
      empty: 'None.',
    })}
  </section>`;
}

/** The queries read whole tables, so they are asked for by a part of the page. */
async function invariants(c: ConsoleContext): Promise<Html> {
  const path = apiPath('/v1/invariants', {
    max_age: c.req.query('now') === undefined ? INVARIANTS_MAX_AGE_SECONDS : undefined,
  });
  const found = await callApi(c, { path, schema: invariantListSchema });
  return show(found, ({ data, violated, unchecked, checked_at: at }) => {
    const rows = data.map((each) => [
      html`${each.title} <small><code>${each.name}</code></small>`,
      badge(each.status, each.status === 'holds' ? 'good' : 'bad'),
      each.violations,
      [each.unchecked_because ?? [], each.examples.map((example) => example.detail)]
        .flat()
        .join('; '),
    ]);
    const summary = `${data.length - violated - unchecked} of ${data.length} hold`;
    const isGood = violated + unchecked === 0;
    return html`<p class="inline">
        ${badge(summary, isGood ? 'good' : 'bad')} checked ${time(at)}
        <button class="secondary" hx-get="?part=invariants&now=1" hx-target="#part-invariants">
          Check now
        </button>
      </p>
      <details ${isGood ? '' : html`open`}>
        <summary>All invariants</summary>
        ${table({ caption: 'Invariants', head: ['Invariant', 'State', 'Violations', 'Which'], rows, empty: '' })}
      </details>`;
  });
}

async function reconcile(c: ConsoleContext, form: ActionForm): Promise<Notice> {
  const call = { method: 'POST', path: '/v1/reconciliations', key: form.key } as const;
  const body = { scope: form.text('scope') };
  const result = await callApi(c, { ...call, body, schema: reconciliationSchema });
  return outcome(result, ({ scope, status }) => `The reconciliation (${scope}) is ${status}.`);
}

async function reconciliations(c: ConsoleContext): Promise<Html> {
  const path = '/v1/reconciliations?limit=5';
  const found = await callApi(c, { path, schema: reconciliationListSchema });
  const run = c.req.query('run') ?? (found.ok ? found.value.data[0]?.id : undefined);
  const form = actionForm({
    action: 'reconcile',
    label: 'Reconcile now',
    fields: html`<select name="scope" aria-label="Scope">
      <option value="recent">the last two hours</option>
      <option value="full">the last 30 days</option>
    </select>`,
  });
  const list = show(found, ({ data }) =>
    table({
      caption: 'Reconciliations',
      head: ['Started', 'Scope', 'State', 'Found', 'Resolved', 'By'],
      rows: data.map((each) => [
        html`<a href="?run=${each.id}">${time(each.started_at)}</a>`,
        each.scope,
        badge(each.status),
        each.found,
        each.resolved,
        each.actor,
      ]),
      empty: 'None has run yet.',
    }),
  );
  return html`<div class="inline">${form}</div>
    ${list} ${run === undefined ? '' : await discrepancies(c, run)}`;
}

async function discrepancies(c: ConsoleContext, run: string): Promise<Html> {
  const path = `/v1/reconciliations/${encodeURIComponent(run)}`;
  const found = await callApi(c, { path, schema: reconciliationViewSchema });
  return show(found, (view) =>
    table({
      caption: 'Discrepancies of this reconciliation',
      head: ['What', 'Order', 'Ours', 'Theirs', 'First seen', 'Resolved'],
      rows: view.discrepancies.map((each) => [
        words(each.kind),
        each.order_id === null ? each.subject : sampleLink(each),
        html`${facts(each.ours)}`,
        html`${facts(each.theirs)}`,
        time(each.first_seen_at),
        each.resolved_at === null ? badge('open') : time(each.resolved_at),
      ]),
      empty: `No discrepancy in the reconciliation ${run}.`,
    }),
  );
}
