/**
 * The card of a checkout in the Web UI, as Markdown: first what it waits for and what to do about it, then
 * a table of its steps, which has as many rows at the end as in the beginning. The card is read by a query:
 * it costs no event.
 */
import { CHECKOUT_STEPS, decisionsAbout, stepTitle } from '../../domain/checkout-steps.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { RetriedStep } from '../steps.ts';
import type { StepView } from './contract.ts';

/** What a person is asked. */
export interface Waiting {
  readonly steps: readonly string[];
  readonly failure: string;
  /** The dead letter of each step, by which it is decided about. */
  readonly deadLetters: Readonly<Record<string, string>>;
}

/** What a shipment is held for. */
export interface Held {
  /** When a person is asked (ISO 8601). */
  readonly until: string;
  readonly cases: readonly string[];
}

export interface Card {
  /** What the order comes to. */
  readonly total: string;
  readonly status: OrderStatus;
  readonly states: ReadonlyMap<string, StepView['state']>;
  readonly waiting: Waiting | null;
  readonly retried: readonly RetriedStep[];
  /** Since when the warehouse has the shipping request (ISO 8601); null before. */
  readonly requestedAt: string | null;
  /** The shipment is held; null: it is not. */
  readonly held: Held | null;
  /** The order's page in the console. */
  readonly consoleUrl: string | null;
}

/**
 * A paragraph with a space of no width. The Web UI (2.42) makes its frame 24 px lower than the card is,
 * because it leaves out the margins above and below: without this it would cut off the last row.
 */
export const LAST_LINES = ['', '\u200b'] as const;

export function renderCard(card: Card): string {
  const rows = CHECKOUT_STEPS.map(({ name, title, compensation }) =>
    row(title, cell(card, name), compensationCell(card, compensation.name)),
  );
  return [
    firstLine(card),
    '',
    row(card.total, words(card.status), 'compensation'),
    '|---|---|---|',
    ...rows,
    row('Notify the customer', notifications(card), ''),
    ...LAST_LINES,
  ].join('\n');
}

function firstLine(card: Card): string {
  const { waiting, consoleUrl } = card;
  if (waiting !== null) return question(waiting, consoleUrl);
  return withLink(currentWork(card), consoleUrl);
}

/** What runs, or what it waits for that no person has to do. */
function currentWork({ retried, requestedAt, held, states, status }: Card): string {
  const [retry] = retried;
  if (retry !== undefined) return retrying(retry);
  if (held !== null) {
    return `**Held**: ${text(held.cases.join(', '))}. Ships when it is closed at the payment provider; a person is asked at ${time(held.until)}.`;
  }
  if (requestedAt !== null && states.get('shipOrder') === 'running') {
    return `Waits for the warehouse's callback since ${time(requestedAt)}.`;
  }
  const running = [...states].find(([, state]) => state === 'running');
  if (running !== undefined) return `Runs: ${titleOf(running[0])}.`;
  if (status === 'shipped') return 'Shipped. Nothing is left to do.';
  return status === 'cancelled' ? 'Cancelled. Nothing is left to do.' : 'Under way.';
}

function question({ steps, failure, deadLetters }: Waiting, consoleUrl: string | null): string {
  const [step = ''] = steps;
  return askPerson({
    about: steps.map((name) => `${stepTitle(name)} (${name})`).join('; '),
    failure,
    decisions: decisionsAbout(step).map(({ action }) => action),
    deadLetter: deadLetters[step] ?? null,
    consoleUrl,
  });
}

/** What waits for a person, why, what can be decided, and where. */
export function askPerson(asked: {
  readonly about: string;
  readonly failure: string;
  readonly decisions: readonly string[];
  /** Its id, if it is known. */
  readonly deadLetter: string | null;
  readonly consoleUrl: string | null;
}): string {
  const { about, failure, decisions, deadLetter, consoleUrl } = asked;
  const ways = [
    ...(consoleUrl === null ? [] : [link('in the console', consoleUrl)]),
    deadLetter === null
      ? 'by redriving its dead letter'
      : `by \`POST /v1/dead-letters/${deadLetter}/redrive\``,
  ];
  return `**Waits for a person**: ${about}. ${text(failure)}. Decide: ${decisions.join(' or ')}, ${ways.join(' or ')}.`;
}

/** A step that is retried: since when, and why. */
export function retrying({ since, title, failure }: RetriedStep): string {
  return `Retrying since ${time(since)}: ${title}. ${text(failure)}.`;
}

/** The sentence, and the order's page. */
export function withLink(sentence: string, consoleUrl: string | null): string {
  return consoleUrl === null
    ? sentence
    : `${sentence} ${link('The order in the console', consoleUrl)}`;
}

function link(words: string, url: string): string {
  return `[${words}](${url})`;
}

const STATES: Readonly<Record<StepView['state'], readonly [icon: string, words: string]>> = {
  waiting: ['?', 'waits'],
  running: ['…', 'runs'],
  done: ['✓', 'done'],
  refused: ['✗', 'refused'],
  failed: ['!', 'failed'],
  compensated: ['✓', 'done'],
  skipped: ['»', 'skipped'],
};

function cell({ states }: Card, name: string): string {
  const state = states.get(name);
  return state === undefined ? '' : STATES[state].join(' ');
}

function compensationCell(card: Card, name: string): string {
  const state = cell(card, name);
  return state === '' ? '' : `${stepTitle(name)}: ${state}`;
}

const NOTIFICATION = /^notify: (?:(sms)\/)?(\w+)$/;

function notifications({ states }: Card): string {
  return [...states]
    .flatMap(([name, state]) => {
      const notification = notificationIn(name);
      return notification === null ? [] : [`${notification} ${STATES[state][0]}`];
    })
    .join(', ');
}

function titleOf(name: string): string {
  const notification = notificationIn(name);
  return notification === null ? stepTitle(name) : `Notify the customer: ${notification}`;
}

/** The notification that a step is, such as `shipped` or `shipped by SMS`; null when it is none. */
function notificationIn(step: string): string | null {
  const [, sms, notification] = NOTIFICATION.exec(step) ?? [];
  if (notification === undefined) return null;
  return sms === undefined ? notification : `${notification} by SMS`;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** To the second, which is as much as one reads. */
function time(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

function words(status: string): string {
  return status.replaceAll('_', ' ');
}

/** Without what Markdown would read as its own. */
function text(plain: string): string {
  return plain.replaceAll(/[\\`*_[\]<>|]/g, String.raw`\$&`);
}
