/**
 * What goes on behind the answer, as rows with a time: the answers to the shopper, the order's events, the
 * calls at the providers, and what is in the providers' ledgers and in the inbox. The page shows the rows
 * known when it is asked for; live.ts sends later ones.
 */
import { html } from 'hono/html';
import { isOrderId } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import { orderNumber } from '../../domain/order-number.ts';
import { fromStripeAmount } from '../../gateways/stripe/money.ts';
import type { Html } from '../web/page.ts';
import type { TimelineEntry } from './api.ts';
import { callInWords, eventInWords, type Words } from './event-words.ts';
import type { Call, Effect, Mail, Providers, Text } from './providers.ts';
import type { Purchase, TimedAnswer } from './purchases.ts';

export interface Row {
  readonly list: 'behind' | 'payments' | 'warehouse' | 'mail' | 'inbox';
  /** Unique on the page and always the same for the same row. */
  readonly id: string;
  readonly atMs: number;
  /** An `li` with this id. */
  readonly markup: Html;
}

export interface Behind {
  readonly orderId: string;
  /** When Buy was pressed, or the order was created. */
  readonly startMs: number;
  readonly purchase: Purchase | undefined;
  readonly timeline: readonly TimelineEntry[];
}

/** A mail that fails before it names its order is shown with the orders of the last minute. */
const NAMELESS_MAIL_MS = 60_000;

/** All rows, those of one list in the order of their time. */
export function rowsOf(behind: Behind, providers: Providers): readonly Row[] {
  const { orderId, startMs, purchase, timeline } = behind;
  const calls = providers.calls.calls().filter((call) => concerns(call, behind));
  const rows = [
    ...(purchase?.answers ?? []).map((answer, index) => answerRow(answer, index, startMs)),
    ...timeline.map((entry) => eventRow(entry, startMs)),
    ...callRows(calls, startMs),
    ...(['payments', 'warehouse', 'mail'] as const).flatMap((provider) =>
      providers.ledgers[provider]
        .effectsOf(orderId)
        .map((effect, index) => effectRow(provider, effect, `${provider}-${index}`)),
    ),
    ...providers.inbox.mailsOf(orderId).map(mailRow),
    ...providers.texts.sent().filter(isAbout(orderId)).map(textRow),
  ];
  return rows.toSorted((a, b) => a.atMs - b.atMs);
}

/** The payment provider's calls while the shopper waited, for a press whose order the shop does not know. */
export function rowsDuring({ answers, atMs }: Purchase, providers: Providers): readonly Row[] {
  const until = Math.max(...answers.map((answer) => answer.sentAtMs + answer.afterMs));
  const calls = providers.calls
    .calls()
    .filter((call) => call.provider === 'payments' && call.atMs >= atMs && call.atMs <= until);
  const answerRows = answers.map((answer, index) => answerRow(answer, index, atMs));
  return [...callRows(calls, atMs), ...answerRows].toSorted((a, b) => a.atMs - b.atMs);
}

/** The rows of the calls at providers, each with how often it was tried before in vain. */
function callRows(calls: readonly Call[], startMs: number): readonly Row[] {
  const failures = new Map<string, number>();
  return calls.map((call) => {
    const place = `${call.provider}/${call.operation}`;
    const attempt = 1 + (failures.get(place) ?? 0);
    const words = callInWords(call, attempt);
    failures.set(place, words.tone === 'failed' ? attempt : 0);
    return timed({ id: `call-${call.id}`, atMs: call.atMs, startMs, words, kind: 'call' });
  });
}

function concerns({ orderId, provider, operation, atMs }: Call, behind: Behind): boolean {
  // Each view of the order, such as this page, has its parcel looked up.
  if (provider === 'warehouse' && operation === 'lookup') return false;
  if (orderId !== null) return orderId === behind.orderId;
  const isRecent = atMs >= behind.startMs && atMs < behind.startMs + NAMELESS_MAIL_MS;
  return provider === 'mail' && isRecent;
}

function answerRow(answer: TimedAnswer, index: number, startMs: number): Row {
  const { status, afterMs, sentAtMs } = answer;
  const code = status === null ? 'no response' : String(status);
  const words: Words = { text: `The shopper has the answer: ${code}`, tone: 'plain' };
  return timed({
    id: `answer-${index}`,
    atMs: sentAtMs + afterMs,
    startMs,
    words,
    kind: 'answer',
  });
}

function eventRow(entry: TimelineEntry, startMs: number): Row {
  const words = eventInWords(entry);
  const atMs = Date.parse(entry.time);
  return timed({ id: `event-${entry.seq}`, atMs, startMs, words, kind: 'event' });
}

function timed(row: {
  readonly id: string;
  readonly atMs: number;
  readonly startMs: number;
  readonly words: Words;
  readonly kind: 'answer' | 'event' | 'call';
}): Row {
  const { id, atMs, startMs, words, kind } = row;
  const markup = html`<li id="${id}" class="${kind} ${words.tone}" data-at="${atMs}">
    <span class="at">${since(atMs - startMs)}</span><span>${words.text}</span>
  </li>`;
  return { list: 'behind', id, atMs, markup };
}

/** `+48 ms`, from ten seconds on `+12.3 s`. */
function since(elapsedMs: number): string {
  const ms = Math.max(0, Math.round(elapsedMs));
  return ms < 10_000 ? `+${ms} ms` : `+${(ms / 1_000).toFixed(1)} s`;
}

function effectRow(
  list: 'payments' | 'warehouse' | 'mail',
  { operation, key, at, amount_minor: amountMinor, currency }: Effect,
  id: string,
): Row {
  const atMs = Date.parse(at);
  // The ledger has Stripe's amounts.
  const amount = amountMinor !== undefined &&
    currency !== undefined && { amountMinor: fromStripeAmount(amountMinor, currency), currency };
  const markup = html`<li id="${id}" data-at="${atMs}">
    <strong>${operation}</strong> ${amount && formatMoney(amount)}
    <small>key ${key.replace(/^ord_[0-9a-z]+/, '<order>')}</small>
  </li>`;
  return { list, id, atMs, markup };
}

function mailRow(mail: Mail, index: number): Row {
  const id = `mail-text-${index}`;
  const atMs = Date.parse(mail.at);
  const markup = html`<li id="${id}" data-at="${atMs}">
    <details>
      <summary>${mail.subject}</summary>
      <p>To ${mail.to}</p>
      <pre>${mail.text}</pre>
    </details>
  </li>`;
  return { list: 'inbox', id, atMs, markup };
}

/** A text message names the order by its number. */
function isAbout(orderId: string): (text: Text) => boolean {
  const number = isOrderId(orderId) ? orderNumber(orderId) : null;
  return ({ body }) => number !== null && body.includes(number);
}

function textRow({ sid, to, body, at }: Text): Row {
  const id = `sms-${sid}`;
  const atMs = Date.parse(at);
  const markup = html`<li id="${id}" data-at="${atMs}">
    <details>
      <summary>SMS to ${to}</summary>
      <pre>${body}</pre>
    </details>
  </li>`;
  return { list: 'inbox', id, atMs, markup };
}
