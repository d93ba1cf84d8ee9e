/** One order: its saga as a picture, what it waits for, and what an operator can do about it. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import { isOrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { checkoutPage, type TemporalUi } from '../../domain/pages.ts';
import { deadLetterListSchema, deadLetterSchema } from '../schemas/dead-letters.ts';
import { cancelSchema, orderViewSchema, type OrderView } from '../schemas/orders.ts';
import { refundListSchema } from '../schemas/refunds.ts';
import { apiPath, callApi, fetchApi } from './call-api.ts';
import { subjectTitle } from './facts.ts';
import { casesBox, paymentActionBox } from './order-cases.ts';
import { moneyBox, refundActions } from './order-money.ts';
import { attentionBox, timelineList, troubleBox } from './order-progress.ts';
import { customerBox, decisionsBox, linesTable, mailsBox, shipmentBox } from './order-record.ts';
import type { Action, ConsoleContext, ConsoleEnv, ConsolePage, Html, View } from './page.ts';
import { badge, capitalized, money, outcome, problemView, show, time, words } from './parts.ts';
import { sagaPicture } from './saga-picture.ts';
import { isMoving, sagaOf } from './saga.ts';

/** `temporalUi`: where the order's workflow is shown, if it is known. */
export function createOrderPage(temporalUi: TemporalUi | null): ConsolePage {
  return {
    path: '/orders/:id',
    title: 'Order',
    async view(c) {
      const path = pathOf(c);
      const [found, deadLetters, refunds] = await Promise.all([
        callApi(c, { path, schema: orderViewSchema }),
        callApi(c, {
          path: apiPath('/v1/dead-letters', { order_id: c.req.param('id'), limit: 50 }),
          schema: deadLetterListSchema,
        }),
        callApi(c, { path: `${path}/refunds?limit=50`, schema: refundListSchema }),
      ]);
      if (!found.ok) return problemView('Order', found.problem);
      return viewOf(found.value, {
        workflow: workflowLink(temporalUi, found.value),
        money: show(refunds, ({ data }) => moneyBox(found.value, data)),
        mails: show(deadLetters, ({ data }) => mailsBox(found.value, data)),
        decisions: show(deadLetters, (open) =>
          show(refunds, (list) => decisionsBox(open.data, list.data)),
        ),
      });
    },
    actions: { resolve, redrive, cancel, ...refundActions },
  };
}

function pathOf(c: ConsoleContext): string {
  return `/v1/orders/${encodeURIComponent(c.req.param('id') ?? '')}`;
}

interface OrderParts {
  readonly workflow: Html | string;
  readonly money: Html;
  readonly mails: Html;
  readonly decisions: Html;
}

function viewOf(order: OrderView, parts: OrderParts): View {
  const steps = sagaOf(order);
  const isLive = isMoving(order.status, steps) || order.refunds.some(isUnderWay);
  return {
    title: `Order ${order.order_number}`,
    heading: html`Order ${order.order_number} ${badge(order.status)}`,
    live: isLive
      ? `/console/orders/${order.id}/live?after=${order.timeline.at(-1)?.seq ?? 0}`
      : null,
    main: html`<p class="facts">
        <span>${money(order.total_minor, order.currency)}</span>
        <span>${order.customer.name}</span>
        <span>${hasWorkflow(order.status) ? 'placed' : 'opened'} ${time(order.created_at)}</span>
        ${order.cancel_reason === null ? '' : html`<span>${words(order.cancel_reason)}</span>`}
        <code>${order.id}</code>
        ${parts.workflow}
      </p>
      ${order.warnings.map(({ part, detail }) => html`<p class="box">${part}: ${detail}</p>`)}
      <section aria-label="Checkout">${sagaPicture(steps)}</section>
      ${paymentActionBox(order)} ${attentionBox(order)} ${troubleBox(order)} ${casesBox(order)}
      <div class="columns">
        <section aria-labelledby="timeline">
          <h2 id="timeline">Timeline</h2>
          ${timelineList(order)} ${parts.decisions}
        </section>
        <div>
          ${customerBox(order)} ${linesTable(order)} ${parts.money} ${shipmentBox(order)}
          ${parts.mails}
        </div>
      </div>`,
  };
}

const SETTLED: readonly string[] = ['succeeded', 'failed', 'canceled'];

function isUnderWay({ status }: OrderView['refunds'][number]): boolean {
  return !SETTLED.includes(status);
}

/** An order that was never placed has none. */
function workflowLink(ui: TemporalUi | null, { id, status }: OrderView): Html | string {
  if (ui === null || !isOrderId(id) || !hasWorkflow(status)) return '';
  return html`<a href="${checkoutPage(ui, id)}" rel="noreferrer" target="_blank"
    >Workflow in Temporal ↗</a
  >`;
}

function hasWorkflow(status: OrderStatus): boolean {
  return !['pending', 'declined', 'expired'].includes(status);
}

/** Decides about a step that waits for a person. */
const resolve: Action = async (c, form) => {
  const [action, note] = [form.text('choice'), form.text('note')];
  const decision = { action, ...(note && { note }) };
  const found = await redriveDeadLetter(c, form.text('dead_letter'), decision);
  return outcome(
    found,
    ({ subject }) => `${capitalized(action)} of “${subjectTitle(subject)}”: accepted.`,
  );
};

/** Sends a mail again, or what else failed for good. */
const redrive: Action = async (c, form) => {
  const found = await redriveDeadLetter(c, form.text('dead_letter'), {});
  return outcome(found, ({ subject }) => `“${subjectTitle(subject)}” is tried again.`);
};

function redriveDeadLetter(c: ConsoleContext, id: string, body: object) {
  const path = `/v1/dead-letters/${encodeURIComponent(id)}/redrive`;
  return callApi(c, { method: 'POST', path, body, schema: deadLetterSchema });
}

const cancel: Action = async (c, form) => {
  const found = await callApi(c, {
    method: 'POST',
    path: `${pathOf(c)}/cancel`,
    key: form.key,
    body: {},
    schema: cancelSchema,
  });
  return outcome(found, ({ pending_compensations: pending }) =>
    pending.length === 0
      ? 'The order is being cancelled.'
      : `The order is being cancelled. To be done: ${pending.map(subjectTitle).join(', ')}.`,
  );
};

/** The order's events as they come, for the page's script. */
export function liveRoutes() {
  return new Hono<ConsoleEnv>().get('/orders/:id/live', (c) =>
    fetchApi(c, {
      path: apiPath(`${pathOf(c)}/timeline`, { after: c.req.query('after') }),
      accept: 'text/event-stream',
    }),
  );
}
