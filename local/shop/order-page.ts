/** The page of an order: the answers to Buy, and live below them what happens behind them. */
import { html } from 'hono/html';
import { isOrderId } from '../../domain/ids.ts';
import { checkoutPage, consolePage, type TemporalUi } from '../../domain/pages.ts';
import { providerInWords } from '../web/fault-words.ts';
import type { Html } from '../web/page.ts';
import { answerInWords, cancelInWords } from './answer-words.ts';
import type { Order } from './api.ts';
import type { Row } from './behind.ts';
import { bankPart } from './bank-part.ts';
import { hasEnded, statusInWords, statusOf } from './event-words.ts';
import { summaryPart } from './order-summary.ts';
import { orderIdOf, type Purchase } from './purchases.ts';

/** Other views of the same order. */
export interface Places {
  /** The API's address, which has the console. */
  readonly apiUrl: string;
  /** Null: its address is not known. */
  readonly temporalUi: TemporalUi | null;
}

export interface OrderPage {
  readonly order: Order;
  readonly purchase: Purchase | undefined;
  readonly rows: readonly Row[];
  readonly places: Places;
  /** Why the last Cancel did not cancel it; null when there was none. */
  readonly cancelCode: string | null;
  /** An Idempotency-Key for the Cancel button. */
  readonly cancelKey: string;
  /** Where the browser sees the shop. */
  readonly origin: string;
}

/** By its number, as in the mails. */
export function orderTitle({ id, order_number: number }: Order): string {
  return `Order ${number ?? id.slice(-6)}`;
}

export function orderPage(page: OrderPage): Html {
  const { order, purchase, rows, places, cancelCode } = page;
  return html`<header class="title">
      <h1>${orderTitle(order)}</h1>
      <div id="status" role="status">${statusPart(statusOf(order))}</div>
    </header>
    ${cancelCode !== null && html`<p class="notice" role="alert">${cancelInWords(cancelCode)}</p>`}
    <div class="columns" data-live="/shop/orders/${order.id}/live">
      <div>
        <div id="bank">${bankPart(order, purchase, page.origin)}</div>
        ${purchase !== undefined && answersPart(purchase, new Map())}
        <section aria-labelledby="behind-title">
          <h2 id="behind-title">Behind the answer</h2>
          <p class="hint">
            In large letters what Holdfast recorded, in small ones each call at a provider. The
            shopper has the answer long before the end.
          </p>
          <div role="log" aria-label="What happens behind the answer">
            <ol class="timeline" id="behind">
              ${markupOf('behind', rows)}
            </ol>
          </div>
        </section>
      </div>
      <div>
        <section id="summary" aria-label="What was ordered">${summaryPart(order)}</section>
        ${actionsPart(page)} ${placesPart(order, places)}
        <section aria-labelledby="ledgers-title">
          <h2 id="ledgers-title">What the providers have on record</h2>
          ${(['payments', 'warehouse', 'mail'] as const).map(
            (provider) =>
              html`<h3>${providerInWords(provider)}</h3>
                <ul class="ledger" id="${provider}">
                  ${markupOf(provider, rows)}
                </ul>`,
          )}
        </section>
        <section aria-labelledby="inbox-title">
          <h2 id="inbox-title">Messages to the customer</h2>
          <ul class="mails" id="inbox">
            ${markupOf('inbox', rows)}
          </ul>
        </section>
      </div>
    </div>`;
}

/** The page of a press that placed no order. */
export function refusedPage(
  purchase: Purchase,
  rows: readonly Row[],
  names: ReadonlyMap<string, string>,
): Html {
  return html`<header class="title"><h1>Your order</h1></header>
    ${answersPart(purchase, names)}
    <p><a href="/shop/checkout">Back to the checkout</a> · <a href="/shop">Back to the shop</a></p>
    <section aria-labelledby="behind-title">
      <h2 id="behind-title">Behind the answer</h2>
      <ol class="timeline">
        ${markupOf('behind', rows)}
      </ol>
    </section>`;
}

/** The status, which the live stream replaces as it changes. */
export function statusPart(status: string): Html {
  const { text, tone } = statusInWords(status);
  return html`<span class="status ${tone}">${text}</span>`;
}

/** The answers to Buy: one for each time it was pressed. `names` gives the product behind a SKU. */
function answersPart(purchase: Purchase, names: ReadonlyMap<string, string>): Html {
  const nameOf = (sku: string): string => names.get(sku) ?? sku;
  const answers = purchase.answers.map((answer) => ({ answer, ...answerInWords(answer, nameOf) }));
  // One of two presses may have placed it.
  const mayRepeat = orderIdOf(purchase) === null && answers.some((each) => each.mayRepeat);
  return html`<section aria-labelledby="answers-title">
    <h2 id="answers-title">What the shop answered</h2>
    ${answers.map(
      ({ answer, tone, title, text, code }) =>
        html`<article class="outcome ${tone}">
          <h3>${title}</h3>
          <p>${text}</p>
          <footer>
            after <strong>${answer.afterMs} ms</strong> <small><code>${code}</code></small>
          </footer>
        </article>`,
    )}
    ${
      purchase.trouble.length > 0 &&
      html`<p class="hint">Trouble made: <strong>${purchase.trouble.join(', ')}</strong>.</p>`
    }
    ${mayRepeat && repeatForm(purchase.key, 'Press Buy again')}
  </section>`;
}

function repeatForm(key: string, label: string): Html {
  return html`<form method="post" action="/shop/purchases/${key}">
    <button>${label}</button>
  </form>`;
}

function markupOf(list: Row['list'], rows: readonly Row[]): readonly Html[] {
  return rows.filter((row) => row.list === list).map(({ markup }) => markup);
}

function actionsPart({ order, purchase, cancelKey }: OrderPage): Html {
  return html`<div class="actions">
    <form method="post" action="/shop/orders/${order.id}/again">
      <button>Buy the same again</button>
    </form>
    ${purchase !== undefined && repeatForm(purchase.key, 'Press Buy once more')}
    <div id="cancel">${isCancellable(order) && cancelForm(order.id, cancelKey)}</div>
  </div>`;
}

/** What is not placed yet is not cancelled, but left to expire. */
function isCancellable({ status }: Order): boolean {
  return status !== 'pending' && !hasEnded(status);
}

function cancelForm(orderId: string, key: string): Html {
  return html`<form method="post" action="/shop/orders/${orderId}/cancel">
    <input type="hidden" name="key" value="${key}" />
    <button class="secondary">Cancel the order</button>
  </form>`;
}

const NEVER_PLACED: readonly string[] = ['pending', 'declined', 'expired'];

function placesPart({ id, status }: Order, { apiUrl, temporalUi }: Places): Html {
  if (!isOrderId(id)) return html``;
  const workflow =
    temporalUi === null || NEVER_PLACED.includes(status) ? null : checkoutPage(temporalUi, id);
  return html`<section aria-labelledby="places-title">
    <h2 id="places-title">The same order elsewhere</h2>
    <ul>
      <li><a href="${consolePage(apiUrl, id)}">In the console</a>, as an operator sees it</li>
      ${
        workflow !== null &&
        html`<li><a href="${workflow}">Its workflow</a>, in Temporal’s Web UI</li>`
      }
      <li><a href="/inbox?order=${id}">Its mails</a>, in the inbox</li>
    </ul>
  </section>`;
}
