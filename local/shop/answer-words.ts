/** What the API answered, as a shop says it to a shopper. */
import { z } from 'zod';
import { CANCEL_REFUSALS, isCancelRefusal } from '../../domain/cancel-refusal.ts';
import type { Answer } from './connection.ts';

export interface AnswerWords {
  readonly tone: 'good' | 'bad' | 'wait';
  readonly title: string;
  readonly text: string;
  /** The same request may be sent again, under the same key. */
  readonly mayRepeat: boolean;
  /** `201 order placed`, for those who want to know. */
  readonly code: string;
}

const problemSchema = z.object({
  code: z.string(),
  detail: z.string().optional(),
  decline_code: z.string().optional(),
  reason: z.string().optional(),
  retryable: z.boolean().optional(),
  lines: z.array(z.object({ sku: z.string(), available: z.number() })).optional(),
  errors: z
    .array(z.object({ detail: z.string(), pointer: z.string().optional() }))
    .optional()
    .default([]),
});
export type ApiProblem = z.output<typeof problemSchema>;

/** The problem in the answer; null in one that is none. */
export function problemIn({ status, body }: Pick<Answer, 'status' | 'body'>): ApiProblem | null {
  if (status === null || status < 400) return null;
  const parsed = problemSchema.safeParse(body);
  return parsed.success ? parsed.data : null;
}

const DECLINES: Readonly<Record<string, string>> = {
  payment_intent_authentication_failure: 'It was not confirmed with your bank.',
  insufficient_funds: 'Your bank says that there is not enough money on this card.',
  expired_card: 'This card has expired.',
};

/** The titles and texts by problem code; others get the general words. */
const WORDS: Readonly<Record<string, readonly [title: string, text: string]>> = {
  price_changed: [
    'A price has changed',
    'Nothing was ordered. Look at the basket with today’s prices, then buy.',
  ],
  payment_refused: [
    'This card cannot be charged here',
    'Nothing was charged. Please choose another card.',
  ],
  payment_unavailable: [
    'Your bank does not answer',
    'The order is not placed yet. Press Buy again: you will not be charged twice.',
  ],
  request_in_flight: [
    'This order is already being placed',
    'The same press arrived twice. It is one order; the other press has its answer.',
  ],
  order_expired: [
    'That took too long',
    'The order expired and nothing was charged. Please begin again from the basket.',
  ],
  idempotency_key_reused: [
    'This form was already used',
    'Another order was sent from the same page. Please begin again from the basket.',
  ],
  cancel_undecided: [
    'The cancellation is not decided yet',
    'Please press Cancel again in a moment.',
  ],
};
const BUSY = [
  'The shop is busy',
  'Your order was not taken yet. Please press Buy again in a moment.',
] as const;
const BROKEN = ['Something went wrong on our side', 'Please try again in a moment.'] as const;

/** The answer to Buy in words. `nameOf` gives the product behind a SKU. */
export function answerInWords(answer: Answer, nameOf: (sku: string) => string): AnswerWords {
  const { status, replayed } = answer;
  if (status === null) {
    return {
      tone: 'wait',
      title: 'The shop did not answer in time',
      text: 'We do not know yet whether it was ordered. Press Buy again: it will not be ordered twice.',
      mayRepeat: true,
      code: 'no response',
    };
  }
  if (status < 300) return acceptedInWords(status, replayed);
  const problem = problemIn(answer);
  const [title, text] = wordsOf(status, problem, nameOf);
  const mayRepeat = problem?.retryable === true || status >= 500;
  const wait = answer.retryAfterSeconds;
  return {
    tone: mayRepeat ? 'wait' : 'bad',
    title,
    text: status === 503 && wait !== null ? `${text} Best in ${seconds(wait)}.` : text,
    mayRepeat,
    code: `${status} ${problem?.code ?? ''}`.trim(),
  };
}

const HELD =
  'The units are yours and your bank holds the money. We send a mail when it is on its way.';

/** 201: placed. 202: the shopper has to confirm it at the bank. 200: and has done so. */
function acceptedInWords(status: number, replayed: boolean): AnswerWords {
  if (status === 202) {
    return {
      tone: 'wait',
      title: 'Your bank asks you to confirm',
      text: 'The units are held for you meanwhile, and nothing is charged.',
      mayRepeat: false,
      code: '202 payment_action_required',
    };
  }
  const placed = { tone: 'good', mayRepeat: false } as const;
  if (status === 200) {
    const title = 'Thank you! It is confirmed, and your order is placed';
    return { ...placed, title, text: HELD, code: '200 order placed' };
  }
  return replayed
    ? {
        ...placed,
        title: 'Thank you! It is the same order',
        text: 'The same press arrived before. You get the same answer, and one order.',
        code: '201, the stored response',
      }
    : { ...placed, title: 'Thank you! Your order is placed', text: HELD, code: '201 order placed' };
}

/** Why an order was not cancelled, in words: of a problem's code, or of the reason why it is not cancellable. */
export function cancelInWords(code: string): string {
  if (isCancelRefusal(code)) return `The order was not cancelled: ${CANCEL_REFUSALS[code]}.`;
  const [title, text] = entryOf(WORDS, code) ?? BROKEN;
  return `${title}. ${text}`;
}

function wordsOf(
  status: number,
  problem: ApiProblem | null,
  nameOf: (sku: string) => string,
): readonly [string, string] {
  if (problem?.code === 'payment_declined') {
    const why =
      entryOf(DECLINES, problem.decline_code) ?? 'Your bank does not accept this payment.';
    return ['Your card was declined', `${why} Nothing was charged. Please choose another card.`];
  }
  if (problem?.code === 'out_of_stock') return ['Not enough left', leftInWords(problem, nameOf)];
  if (problem?.code === 'invalid_request') {
    const why = problem.errors.map(({ detail }) => detail);
    return ['Please check your details', ['Nothing was ordered.', ...why].join(' ')];
  }
  return entryOf(WORDS, problem?.code) ?? (status === 503 ? BUSY : BROKEN);
}

function leftInWords({ lines = [] }: ApiProblem, nameOf: (sku: string) => string): string {
  const left = lines.map(({ sku, available }) =>
    available === 0 ? `${nameOf(sku)} is sold out.` : `Of ${nameOf(sku)} only ${available} left.`,
  );
  return [...left, 'Nothing was ordered, and nothing was charged.'].join(' ');
}

/** Codes come from addresses, too: none of them is a member of every object. */
function entryOf<T>(words: Readonly<Record<string, T>>, code = ''): T | undefined {
  return Object.hasOwn(words, code) ? words[code] : undefined;
}

function seconds(count: number): string {
  return count === 1 ? 'a second' : `${count} seconds`;
}
