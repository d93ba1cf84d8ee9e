import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROBLEMS } from '../../api/http/problems.ts';
import { STOREFRONT } from '../../api/orders/timeline.ts';
import { CANCEL_REFUSALS } from '../../domain/cancel-refusal.ts';
import { ORDER_STATUSES, isSettledStatus, CANCEL_REASONS } from '../../domain/order.ts';
import { answerInWords, cancelInWords } from '../../local/shop/answer-words.ts';
import {
  eventInWords,
  hasEnded,
  statusAfter,
  statusInWords,
} from '../../local/shop/event-words.ts';
import { CARDS, TROUBLES } from '../../local/shop/offers.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { read } from '../support/documents.ts';

const entry = { seq: 1, time: '2026-01-01T00:00:00Z' };

test('every event that a storefront sees has words of its own', () => {
  for (const type of STOREFRONT.types ?? []) {
    expect(eventInWords({ ...entry, type, data: {} }).text, type).not.toContain(type);
  }
});

test('every reason of a cancellation has words', () => {
  for (const reason of CANCEL_REASONS) {
    const { text } = eventInWords({ ...entry, type: 'order.cancelling', data: { reason } });
    expect(text, reason).not.toContain(reason);
  }
});

test('every status has words, and a status is ended only where the domain says that it is settled', () => {
  for (const status of ORDER_STATUSES) {
    expect(statusInWords(status).text, status).not.toContain('_');
    if (hasEnded(status)) expect(isSettledStatus(status), status).toBe(true);
  }
  expect(statusAfter([{ type: 'order.created' }, { type: 'order.placed' }])).toBe('placed');
});

test('every problem is explained without its code in the sentence, and says that nothing was lost', () => {
  for (const [code, [status]] of Object.entries(PROBLEMS)) {
    const body = { code, detail: 'x' };
    const answer = { status, body, afterMs: 1, retryAfterSeconds: null, replayed: false };
    const words = answerInWords(answer, (sku) => sku);
    expect(`${words.title} ${words.text}`, code).not.toContain(code);
    expect(words.text.length, code).toBeGreaterThanOrEqual(20);
    expect(words.code).toBe(`${status} ${code}`);
  }
});

test('a refused cancel is explained with its reason, and an address with another word breaks nothing', () => {
  for (const [reason, words] of Object.entries(CANCEL_REFUSALS)) {
    expect(cancelInWords(reason)).toBe(`The order was not cancelled: ${words}.`);
  }
  for (const word of ['constructor', 'hasOwnProperty', 'nothing_known']) {
    expect(cancelInWords(word)).toMatch(/^Something went wrong/);
  }
});

test('a response that never came may be asked for again', () => {
  const answer = { status: null, body: null, afterMs: 1, retryAfterSeconds: null, replayed: false };
  expect(answerInWords(answer, (sku) => sku)).toMatchObject({ mayRepeat: true, tone: 'wait' });
});

test('every trouble and card that a document names is offered by the shop', () => {
  const patterns = readdirSync(join(PROJECT, 'docs/patterns')).map(
    (name) => `docs/patterns/${name}`,
  );
  const named = ['README.md', ...patterns].flatMap((file) =>
    [
      ...read(file)
        .replaceAll(/\s+/g, ' ')
        .matchAll(/(?:trouble|card|Again with) "([^"]+)"/g),
    ].map(([, name]) => name),
  );
  const offered = [...TROUBLES, ...CARDS].map(({ name }) => name);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => name === undefined || !offered.includes(name))).toEqual([]);
});
