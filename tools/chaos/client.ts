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
  readonly outcome: 'accepted' | 'declined' | 'refused' | 'gave_up';
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

const bodySchema = z.object({ id: z.string().optional(), code: z.string().optional() }).catch({});

/** Places the order and, if planned, cancels it. Rejects only when the signal aborts. */
export async function purchase(options: ClientOptions, plan: OrderPlan): Promise<Purchase> {
  const { reply, attempts } = await sendUntilFinal(options, orderRequest(plan));
  const { id, code = 'none' } = parse(reply);
  const outcome = outcomeOf(reply);
  const orderId = outcome === 'accepted' && id !== undefined ? id : null;
  if (orderId !== null && plan.cancelAfterMs !== null) {
    await delay(plan.cancelAfterMs, undefined, { signal: options.signal });
    const path = `/v1/orders/${orderId}/cancel`;
    await sendUntilFinal(options, { path, key: `${plan.key}-cancel`, body: null });
  }
  return { plan, outcome, orderId, reply, code, attempts };
}

/** Sends the same request again: the response has to be the same. Null when there was none. */
export async function repeat(options: ClientOptions, plan: OrderPlan): Promise<Reply | null> {
  return (await sendUntilFinal(options, orderRequest(plan))).reply;
}

interface Request {
  readonly path: string;
  readonly key: string;
  readonly body: string | null;
}

function orderRequest(plan: OrderPlan): Request {
  return { path: '/v1/orders', key: plan.key, body: bodyOf(plan) };
}

async function sendUntilFinal(
  options: ClientOptions,
  request: Request,
): Promise<{ readonly reply: Reply | null; readonly attempts: number }> {
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
  { api, signal, count }: ClientOptions,
  { path, key, body }: Request,
): Promise<Reply | null> {
  try {
    const response = await fetch(`${api}${path}`, {
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
    count(`${reply.status} ${parse(reply).code ?? 'ok'}`);
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
