/** Webhook endpoints and the attempts at them. */
import { html } from 'hono/html';
import {
  deliveryListSchema,
  endpointListSchema,
  endpointSchema,
  redeliverySchema,
  testResultSchema,
} from '../schemas/webhooks.ts';
import { apiPath, callApi } from './call-api.ts';
import type { Action, ActionForm, ConsoleContext, ConsolePage, Html } from './page.ts';
import { actionForm, badge, hidden, outcome, problemView, show, table, time } from './parts.ts';

const PAGE = 25;

export async function endpoints(c: ConsoleContext): Promise<Html> {
  const path = '/v1/webhook-endpoints?limit=100';
  return show(await callApi(c, { path, schema: endpointListSchema }), ({ data }) =>
    table({
      caption: 'Webhook endpoints',
      head: ['URL', 'State', 'Types', 'Act'],
      rows: data.map(({ id, url, status, types, disabled_reason: reason }) => {
        const isOn = status === 'enabled';
        const toggle = isOn ? 'disable' : 'enable';
        const fields = hidden('id', id);
        return [
          html`<a href="/console/events/endpoints/${id}">${url}</a>`,
          html`${badge(status, isOn ? 'good' : 'bad')} <small>${reason ?? ''}</small>`,
          types.length === 0 ? 'all' : types.join(', '),
          html`<div class="actions">
            ${actionForm({ action: 'test', label: 'send test', fields, tone: 'secondary' })}
            ${actionForm({ action: toggle, label: toggle, fields, tone: isOn ? 'danger' : 'secondary' })}
          </div>`,
        ];
      }),
      empty: 'No webhook endpoint is registered.',
    }),
  );
}

const pathOf = (form: ActionForm): string =>
  `/v1/webhook-endpoints/${encodeURIComponent(form.text('id'))}`;

const setStatus =
  (status: 'enabled' | 'disabled'): Action =>
  async (c, form) => {
    const call = { method: 'PATCH', path: pathOf(form), body: { status } } as const;
    const result = await callApi(c, { ...call, schema: endpointSchema });
    return outcome(result, ({ url }) => `${url} is ${status}.`);
  };

export const endpointActions = {
  enable: setStatus('enabled'),
  disable: setStatus('disabled'),
  async test(c, form) {
    const call = { method: 'POST', path: `${pathOf(form)}/test` } as const;
    const result = await callApi(c, { ...call, schema: testResultSchema });
    const notice = outcome(
      result,
      (sent) =>
        `Test ${sent.outcome}: ${sent.status ?? sent.error ?? ''} in ${sent.latency_ms} ms.`,
    );
    return result.ok && result.value.outcome !== 'delivered' ? { ...notice, tone: 'bad' } : notice;
  },
} satisfies Record<string, Action>;

export const endpointPage: ConsolePage = {
  path: '/events/endpoints/:id',
  title: 'Webhook endpoint',
  async view(c) {
    const id = c.req.param('id') ?? '';
    const path = `/v1/webhook-endpoints/${encodeURIComponent(id)}`;
    const list = apiPath(`${path}/deliveries`, {
      limit: PAGE,
      starting_after: c.req.query('after'),
    });
    const [endpoint, attempts] = await Promise.all([
      callApi(c, { path, schema: endpointSchema }),
      callApi(c, { path: list, schema: deliveryListSchema }),
    ]);
    if (!endpoint.ok) return problemView('Webhook endpoint', endpoint.problem);
    const { url, status } = endpoint.value;
    return html`<p><code>${url}</code> ${badge(status, status === 'enabled' ? 'good' : 'bad')}</p>
      ${show(attempts, ({ data, has_more: more }) => {
        const older = apiPath(`/console/events/endpoints/${id}`, { after: data.at(-1)?.id });
        return html`${table({
          caption: 'Attempts, newest first',
          head: ['Time', 'Event', 'Outcome', 'Took', 'Act'],
          rows: data.map((attempt) => [
            time(attempt.attempted_at),
            attempt.event_type,
            html`${badge(attempt.outcome)} ${attempt.status ?? ''}
              <small>${attempt.error ?? ''}</small>`,
            `${attempt.latency_ms} ms`,
            actionForm({
              action: 'redeliver',
              label: 'send again',
              fields: hidden('event', attempt.event_id),
              tone: 'secondary',
            }),
          ]),
          empty: 'Nothing was sent yet.',
        })}
        ${more ? html`<p><a href="${older}">Older</a></p>` : ''}`;
      })}`;
  },
  actions: {
    async redeliver(c, form) {
      const path = `/v1/webhook-endpoints/${encodeURIComponent(c.req.param('id') ?? '')}/redeliver`;
      const body = { event_id: form.text('event') };
      const result = await callApi(c, { method: 'POST', path, body, schema: redeliverySchema });
      return outcome(result, () => 'The event is sent again, with the same id.');
    },
  },
};
