/** The event feed, the subscriptions that read it, and the webhook endpoints. */
import { html } from 'hono/html';
import { EVENT_TYPES } from '../../domain/order.ts';
import { feedSchema } from '../schemas/events.ts';
import { subscriptionListSchema, subscriptionSchema } from '../schemas/subscriptions.ts';
import { apiPath, callApi } from './call-api.ts';
import { sampleLink } from './causes.ts';
import { facts, type Data } from './facts.ts';
import { endpointActions, endpoints } from './endpoints.ts';
import type { Action, ConsoleContext, ConsolePage, Html } from './page.ts';
import {
  actionForm,
  badge,
  duration,
  hidden,
  lazyPart,
  outcome,
  show,
  table,
  time,
} from './parts.ts';

const PAGE = 25;
const FOLLOW_SECONDS = 2;

export const eventsPage: ConsolePage = {
  path: '/events',
  title: 'Events',
  async view(c) {
    const { types, follow, after } = c.req.query();
    const [feedNow, lags, hooks] = await Promise.all([feed(c), subscriptions(c), endpoints(c)]);
    const options = EVENT_TYPES.map(
      (type) => html`<option ${type === types ? html`selected` : ''}>${type}</option>`,
    );
    const everySeconds = follow === undefined ? null : FOLLOW_SECONDS;
    return html`<form method="get" class="filter">
        <select name="types" aria-label="Type">
          <option value="">all types</option>
          ${options}
        </select>
        <label>
          <input type="checkbox" name="follow" ${follow === undefined ? '' : html`checked`} />
          follow
        </label>
        <button class="secondary">Show</button>
      </form>
      ${lazyPart('feed', everySeconds, { content: feedNow, query: { types, after } })}
      <h2>Subscriptions</h2>
      ${lazyPart('subscriptions', 5, { content: lags })}
      <h2>Webhook endpoints</h2>
      ${hooks}`;
  },
  parts: { feed, subscriptions },
  actions: { ...subscriptionActions(), ...endpointActions },
};

async function feed(c: ConsoleContext): Promise<Html> {
  const { types, after } = c.req.query();
  const path = apiPath('/v1/events', { order: 'newest_first', limit: PAGE, types, after });
  return show(await callApi(c, { path, schema: feedSchema }), (page) => {
    const older = apiPath('/console/events', { types, after: page.next });
    return html`${table({
      caption: 'Events, newest first',
      head: ['Time', 'Type', 'Order', 'Data'],
      rows: page.data.map((event) => [
        time(event.time),
        event.type,
        sampleLink({ order_id: event.subject }),
        html`<small>${summary(event.data)}</small>`,
      ]),
      empty: 'No such event here.',
    })}
    ${page.has_more ? html`<p><a href="${older}">Older</a></p>` : ''}`;
  });
}

/** What fits in one line: texts and numbers. */
function summary(data: Data): readonly Html[] {
  const isShort = (value: unknown) => typeof value === 'string' || typeof value === 'number';
  return facts(Object.fromEntries(Object.entries(data).filter(([, value]) => isShort(value))));
}

async function subscriptions(c: ConsoleContext): Promise<Html> {
  const path = '/v1/subscriptions?limit=100';
  return show(await callApi(c, { path, schema: subscriptionListSchema }), ({ data }) =>
    table({
      caption: 'Subscriptions',
      head: ['Name', 'State', 'Lag', 'Behind', 'Act'],
      rows: data.map(({ name, paused, lag_seconds: lag, behind }) => {
        const fields = hidden('name', name);
        const toggle = paused ? 'resume' : 'pause';
        return [
          name,
          badge(paused ? 'paused' : 'reading', paused ? 'bad' : 'good'),
          duration(lag * 1_000),
          behind,
          html`<div class="actions">
            ${actionForm({ action: toggle, label: toggle, fields, tone: 'secondary' })}
            <details>
              <summary role="button" class="outline secondary">rewind</summary>
              ${actionForm({
                action: 'rewind',
                label: 'Deliver again',
                tone: 'danger',
                fields: html`${fields}
                  <label>
                    Events since (UTC) <input name="to" type="datetime-local" required />
                  </label>`,
              })}
            </details>
          </div>`,
        ];
      }),
      empty: 'There is no subscription yet.',
    }),
  );
}

function subscriptionActions() {
  const act =
    (verb: 'pause' | 'resume' | 'rewind', done: string): Action =>
    async (c, form) => {
      const name = form.text('name');
      const path = `/v1/subscriptions/${encodeURIComponent(name)}/${verb}`;
      // A browser leaves out the seconds.
      const to = form.text('to').padEnd('2026-01-31T12:00:00'.length, ':00');
      const body = verb === 'rewind' ? { body: { to: `${to}Z` } } : {};
      const result = await callApi(c, {
        method: 'POST',
        path,
        ...body,
        schema: subscriptionSchema,
      });
      return outcome(result, () => `${name} ${done}.`);
    };
  return {
    pause: act('pause', 'is paused; its events stay in the log'),
    resume: act('resume', 'reads on where it stopped'),
    rewind: act('rewind', 'delivers the events since then again'),
  };
}
