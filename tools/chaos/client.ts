/**
 * A client of the shop: sends an order under one Idempotency-Key and retries with back-off and the
 * same key while a retry can help. It gives up when its retry budget is used up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { createRandom } from '../random.ts';
import { bodyOf, type OrderPlan } from './order-plan.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface Purchase {
  readonly plan: OrderPlan;
  /** `left`: after the bank's question, without waiting for what becomes of the order. */
  readonly outcome: 'accepted' | 'declined' | 'refused' | 'left' | 'gave_up';
  readonly orderId: string | null;
  /** The last response; null when there was none. */
  readonly reply: Reply | null;
  /** The problem's code of the last response, else `none`. */
  readonly code: string;
  readonly attempts: number;
}

export interface ClientOptions {
  readonly api: string;
  readonly signal: AbortSignal;
  /** Counts every response by status and code, lost connections as `lost`. */
  readonly count: (what: string) => void;
}

const REQUEST_TIMEOUT_MS = 15_000;
/** Longer than a customer waits, shorter than the order's own deadline. */
const RETRY_BUDGET_MS = 90_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

const bodySchema = z
  .object({
    id: z.string().optional(),
    order_id: z.string().optional(),
    code: z.string().optional(),
    next_action: z.object({ use_stripe_sdk: z.object({ stripe_js: z.url() }) }).optional(),
  })
  .catch({});

/**
 * Places the order, confirms its payment where the bank asks and, if planned, cancels it. Rejects only when
 * the signal aborts.
 */
export async function purchase(options: ClientOptions, plan: OrderPlan): Promise<Purchase> {
  const first = await sendUntilFinal(options, orderRequest(options, plan));
  const isAsked = outcomeOf(first.reply) === 'left';
  const { reply, attempts } = isAsked ? await confirm(options, plan, first) : first;
  const { id, order_id: waiting, code = 'none' } = parse(reply);
  const outcome = outcomeOf(reply);
  const orderId = { accepted: id, left: waiting }[String(outcome)] ?? null;
  if (orderId !== null && plan.cancelAfterMs !== null) {
    await delay(plan.cancelAfterMs, undefined, { signal: options.signal });
    const url = `${options.api}/v1/orders/${orderId}/cancel`;
    await sendUntilFinal(options, { url, key: `${plan.key}-cancel`, body: null });
  }
  return { plan, outcome, orderId, reply, code, attempts };
}

/**
 * What the shopper does at the bank, and what the shop's page does then. The response is that of the same
 * order sent again: the order's own, when the payment is decided.
 */
async function confirm(options: ClientOptions, plan: OrderPlan, asked: Sent): Promise<Sent> {
  const { challenge } = plan;
  const { order_id: orderId, next_action: action } = parse(asked.reply);
  if (challenge === 'abandons' || action === undefined) return asked;
  const outcome = challenge === 'fails' ? 'failed' : 'authenticated';
  const decide = sendUntilFinal(options, {
    url: action.use_stripe_sdk.stripe_js.replace(
      /challenge\/(\w+)$/,
      'payments/intents/$1/challenge',
    ),
    key: `${plan.key}-bank`,
    body: JSON.stringify({ outcome }),
    at: 'bank',
  });
  const url = `${options.api}/v1/orders/${orderId}/confirm`;
  const confirmation = { url, key: `${plan.key}-confirm`, body: null };
  const sendConfirmation = () => sendUntilFinal(options, confirmation);
  await Promise.all([decide, challenge === 'both' && sendConfirmation()]);
  if (challenge === 'webhook') return asked;
  await sendConfirmation();
  const { reply, attempts } = await sendUntilFinal(options, orderRequest(options, plan));
  return { reply, attempts: Math.max(attempts, asked.attempts) };
}

/** Sends the same request again: the response has to be the same. Null when there was none. */
export async function repeat(options: ClientOptions, plan: OrderPlan): Promise<Reply | null> {
  return (await sendUntilFinal(options, orderRequest(options, plan))).reply;
}

interface Request {
  readonly url: string;
  readonly key: string;
  readonly body: string | null;
  /** Whose responses to count apart. */
  readonly at?: 'bank';
}

interface Sent {
  readonly reply: Reply | null;
  readonly attempts: number;
}

function orderRequest({ api }: ClientOptions, plan: OrderPlan): Request {
  return { url: `${api}/v1/orders`, key: plan.key, body: bodyOf(plan) };
}

async function sendUntilFinal(options: ClientOptions, request: Request): Promise<Sent> {
  const deadline = performance.now() + RETRY_BUDGET_MS;
  let pauseMs = FIRST_PAUSE_MS;
  for (let attempts = 1; ; attempts += 1) {
    const reply = await send(options, request);
    if (reply !== null && isFinal(reply)) return { reply, attempts };
    if (performance.now() + pauseMs > deadline) return { reply, attempts };
    // Half of it random, so that clients rejected together do not retry together.
    const waitMs = (pauseMs * (1 + createRandom(attempts, request.key).next())) / 2;
    await delay(waitMs, undefined, { signal: options.signal });
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One attempt. Null when the connection was lost or the request timed out. */
async function send(
  { signal, count }: ClientOptions,
  { url, key, body, at }: Request,
): Promise<Reply | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: 'Bearer hf_local_storefront',
        'idempotency-key': key,
        ...(body !== null && { 'content-type': 'application/json' }),
      },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    const reply = { status: response.status, body: await response.text() };
    count(`${reply.status} ${at ?? parse(reply).code ?? 'ok'}`);
    return reply;
  } catch (error) {
    if (signal.aborted) throw error;
    count('lost');
    return null;
  }
}

/** A 409 for a request in flight concerns the moment, not the order. */
function isFinal(reply: Reply): boolean {
  if (reply.status >= 500 || reply.status === 429) return false;
  return reply.status !== 409 || parse(reply).code !== 'request_in_flight';
}

function outcomeOf(reply: Reply | null): Purchase['outcome'] {
  if (reply === null || !isFinal(reply)) return 'gave_up';
  if (reply.status === 201) return 'accepted';
  if (reply.status === 202) return 'left';
  return reply.status === 402 ? 'declined' : 'refused';
}

function parse(reply: Reply | null): z.infer<typeof bodySchema> {
  if (reply === null || !reply.body.startsWith('{')) return {};
  try {
    return bodySchema.parse(JSON.parse(reply.body));
  } catch {
    // A truncated body.
    return {};
  }
}
