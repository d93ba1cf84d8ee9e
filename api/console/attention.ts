/** What needs a person: steps and refunds that wait for a decision, then failed work by cause. */
import { html } from 'hono/html';
import { decisionsAbout } from '../../domain/checkout-steps.ts';
import { isRefundId } from '../../domain/ids.ts';
import {
  deadLetterListSchema,
  deadLetterSchema,
  type DeadLetterBody,
} from '../schemas/dead-letters.ts';
import { orderListSchema, type OrderBody } from '../schemas/orders.ts';
import { apiPath, callApi } from './call-api.ts';
import {
  bulkActions,
  bulkForms,
  causes,
  DISCARD_EFFECT,
  noteOf,
  redrives,
  sampleLink,
} from './causes.ts';
import { subjectTitle } from './facts.ts';
import { orderTable } from './orders.ts';
import type { ActionForm, ConsoleContext, ConsolePage, Html, Notice } from './page.ts';
import {
  actionForm,
  capitalized,
  hidden,
  lazyPart,
  money,
  outcome,
  show,
  table,
  time,
} from './parts.ts';

const PAGE = 20;

export const attentionPage: ConsolePage = {
  path: '/attention',
  title: 'Attention',
  async view(c) {
    const { cause, source, after } = c.req.query();
    const isAll = cause === undefined && source === undefined;
    const [first, cases, groups, runs] = await Promise.all([
      isAll ? waiting(c) : letters(c, { cause, source, after }),
      isAll ? openCases(c) : '',
      causes(c),
      redrives(c),
    ]);
    return html`${lazyPart('redrives', 2, { content: runs })} ${first} ${cases}
      <h2>What fails, by cause</h2>
      ${lazyPart('causes', 10, { content: groups })}`;
  },
  parts: { causes, redrives },
  actions: { decide, ...bulkActions },
};

/** Steps of orders, and refunds, whose outcome a person has to decide. */
async function waiting(c: ConsoleContext): Promise<Html> {
  const open = (source: string) => openLetters(c, { source });
  const path = '/v1/orders?status=needs_attention&limit=100';
  const [steps, refunds, orders] = await Promise.all([
    open('checkout'),
    open('refund'),
    callApi(c, { path, schema: orderListSchema }),
  ]);
  const known = new Map(orders.ok ? orders.value.data.map((order) => [order.id, order]) : []);
  const list = (found: typeof steps, { what, source }: { what: string; source: string }) =>
    html`<h2>${what} that wait for a decision</h2>
      ${show(found, (page) => letterTable(page, { what, known, filter: { source } }))}`;
  return html`${list(steps, { what: 'Orders', source: 'checkout' })}
  ${list(refunds, { what: 'Refunds', source: 'refund' })}`;
}

/** Orders with an open dispute, fraud warning or review; what can be done is on their pages. */
async function openCases(c: ConsoleContext): Promise<Html> {
  const path = `/v1/orders?payment_case=open&limit=${PAGE}`;
  const found = await callApi(c, { path, schema: orderListSchema });
  return html`<h2>Disputes, fraud warnings and reviews</h2>
    ${show(found, ({ data, has_more: more }) =>
      data.length === 0
        ? html`<p class="muted">None.</p>`
        : html`${orderTable(data)}
          ${more ? html`<p><a href="/console/orders?payment_case=open">All of them</a></p>` : ''}`,
    )}`;
}

/** The open dead letters of one cause or source, one by one. */
async function letters(
  c: ConsoleContext,
  { cause, source, after }: Readonly<Record<'cause' | 'source' | 'after', string | undefined>>,
): Promise<Html> {
  const filter = { fingerprint: cause, source, starting_after: after };
  const found = await openLetters(c, filter);
  const of = { what: 'Failures', known: new Map<string, OrderBody>(), filter: { cause, source } };
  return html`<p><a href="/console/attention">All causes</a></p>
    ${
      cause === undefined
        ? ''
        : html`<h2><code>${cause}</code></h2>
            <div class="actions">${bulkForms(cause)}</div>`
    }
    ${show(found, (page) => letterTable(page, of))}`;
}

function openLetters(c: ConsoleContext, filter: Parameters<typeof apiPath>[1]) {
  const path = apiPath('/v1/dead-letters', { status: 'open', limit: PAGE, ...filter });
  return callApi(c, { path, schema: deadLetterListSchema });
}

function letterTable(
  { data, has_more: hasMore }: { data: readonly DeadLetterBody[]; has_more: boolean },
  of: {
    what: string;
    known: ReadonlyMap<string, OrderBody>;
    /** The parameters of the page that has what is older. */
    filter: Parameters<typeof apiPath>[1];
  },
): Html {
  const rows = data.map((letter) => {
    const order = of.known.get(letter.order_id ?? '');
    const whose = order && `${order.customer.name}, ${money(order.total_minor, order.currency)}`;
    return [
      html`${sampleLink(letter)} <small>${whose ?? ''}</small>`,
      html`<strong>${subjectTitle(letter.subject)}</strong>
        <code>${letter.error}</code> ${decisionForm(letter)}`,
      letter.retry_count,
      time(letter.last_failed_at),
    ];
  });
  const head = ['Order', 'What failed', 'Tries', 'Last try'];
  const caption = `${of.what} that wait for a decision`;
  const older = apiPath('/console/attention', { ...of.filter, after: data.at(-1)?.id });
  return html`${table({ caption, head, rows, empty: 'None.' })}
  ${hasMore ? html`<p><a href="${older}">Older</a></p>` : ''}`;
}

const RETRY = {
  delivery: 'Sends the event again, with the same id.',
  notification: 'Sends the e-mail or SMS again.',
  refund: 'Looks up the refund, then asks for it again under the same key.',
  webhook: 'Looks up what the webhook is about again.',
} as const;

/** The decisions about a dead letter, each with its effect in words. For the action `decide`. */
function decisionForm({ id, source, subject, message }: DeadLetterBody): Html {
  // One that has failed at the provider, or was never made, is requested anew on the order's page.
  const needsNewRefund =
    source === 'refund' && (message['refund_status'] !== undefined || !isRefundId(subject));
  const isRetried = source !== 'checkout' && !needsNewRefund;
  const retry = isRetried ? [{ action: 'retry', effect: RETRY[source] }] : [];
  const isAwaited = source === 'checkout' || (source === 'refund' && !needsNewRefund);
  const discard = isAwaited ? [] : [{ action: 'discard', effect: DISCARD_EFFECT }];
  const buttons = [...decisionsAbout(subject), ...retry, ...discard].map(({ action, effect }) => ({
    label: action,
    choice: action,
    effect,
    tone: action === 'retry' ? ('secondary' as const) : ('danger' as const),
  }));
  const fields = html`${hidden('id', id)}
    <label>Note <input name="note" maxlength="500" /></label>`;
  return html`<details>
    <summary role="button" class="outline secondary">Decide</summary>
    ${actionForm({ action: 'decide', fields, buttons })}
  </details>`;
}

/** Redrives or discards one dead letter, as `decisionForm` asks. */
async function decide(c: ConsoleContext, form: ActionForm): Promise<Notice> {
  const choice = form.text('choice');
  const isDiscard = choice === 'discard';
  const id = encodeURIComponent(form.text('id'));
  const path = `/v1/dead-letters/${id}/${isDiscard ? 'discard' : 'redrive'}`;
  const body = { ...noteOf(form), ...(!isDiscard && { action: choice }) };
  const result = await callApi(c, { method: 'POST', path, body, schema: deadLetterSchema });
  return outcome(
    result,
    ({ subject }) => `${capitalized(choice)} of “${subjectTitle(subject)}”: accepted.`,
  );
}
