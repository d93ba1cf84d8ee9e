/**
 * A shopper's client: places an order under one Idempotency-Key and asks again, with back-off and
 * the same key, whenever the answer says that asking again can help. It gives up in the end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { bodyOf } from './order-plan.ts';
import type { OrderPlan } from './order-plan.ts';
import { createRandom } from './random.ts';

export type Outcome = 'accepted' | 'declined' | 'refused' | 'gave_up';

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface Purchase {
  readonly plan: OrderPlan;
  readonly outcome: Outcome;
  readonly orderId: string | null;
  /** The final answer; null when none came. */
  readonly reply: Reply | null;
  /** The problem's code of a final or last answer, `none` where there was none. */
  readonly code: string;
  readonly tries: number;
  readonly tookMs: number;
  readonly cancel: 'not_asked' | 'accepted' | 'refused' | 'gave_up';
}

export interface ShopperDeps {
  readonly api: string;
  readonly signal: AbortSignal;
  /** Counts every answer by status and code, lost connections as `lost`. */
  readonly count: (what: string) => void;
}

const REQUEST_TIMEOUT_MS = 15_000;
/** Nobody stays longer in front of a page that says "one moment". Below the API's own deadline. */
const PATIENCE_MS = 90_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** A 409 that is about now, not about the order. */
const PASSING_CONFLICTS: readonly string[] = ['request_in_flight'];
const KEY = 'Bearer hf_local_storefront';

const said = z.object({ id: z.string().optional(), code: z.string().optional() }).catch({});

/** Places the order and, if the plan says so, cancels it. Never rejects but for the signal. */
export async function shop(deps: ShopperDeps, plan: OrderPlan): Promise<Purchase> {
  const startedAt = performance.now();
  const { reply, tries } = await askUntilFinal(deps, {
    path: '/v1/orders',
    key: plan.key,
    body: bodyOf(plan),
  });
  const { id, code } = read(reply);
  const outcome = outcomeOf(reply);
  const tookMs = performance.now() - startedAt;
  const placed = { plan, outcome, reply, code: code ?? 'none', tries, tookMs };
  const orderId = outcome === 'accepted' && id !== undefined ? id : null;
  const cancel = orderId === null ? 'not_asked' : await cancelAsPlanned(deps, plan, orderId);
  return { ...placed, orderId, cancel };
}

/** The same request once more, for what has to be the same answer. Null when none came. */
export async function askAgain(deps: ShopperDeps, plan: OrderPlan): Promise<Reply | null> {
  const request = { path: '/v1/orders', key: plan.key, body: bodyOf(plan) };
  return (await askUntilFinal(deps, request)).reply;
}

async function cancelAsPlanned(
  deps: ShopperDeps,
  plan: OrderPlan,
  orderId: string,
): Promise<Purchase['cancel']> {
  if (plan.cancelAfterMs === null) return 'not_asked';
  await delay(plan.cancelAfterMs, undefined, { signal: deps.signal });
  const { reply } = await askUntilFinal(deps, {
    path: `/v1/orders/${orderId}/cancel`,
    key: `${plan.key}-cancel`,
    body: null,
  });
  if (reply === null || reply.status >= 500) return 'gave_up';
  return reply.status === 202 ? 'accepted' : 'refused';
}

interface Request {
  readonly path: string;
  readonly key: string;
  readonly body: string | null;
}

async function askUntilFinal(
  deps: ShopperDeps,
  request: Request,
): Promise<{ readonly reply: Reply | null; readonly tries: number }> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  let pauseMs = FIRST_PAUSE_MS;
  for (let tries = 1; ; tries += 1) {
    const reply = await ask(deps, request);
    if (reply !== null && isFinal(reply)) return { reply, tries };
    if (performance.now() + pauseMs > giveUpAt) return { reply, tries };
    // Half of it by chance, so that those who were refused together do not come back together.
    const waitMs = (pauseMs * (1 + createRandom(tries, request.key).next())) / 2;
    await delay(waitMs, undefined, { signal: deps.signal });
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One try. Null when the connection was lost or nobody answered in time. */
async function ask(deps: ShopperDeps, { path, key, body }: Request): Promise<Reply | null> {
  const { api, signal, count } = deps;
  try {
    const response = await fetch(`${api}${path}`, {
      method: 'POST',
      headers: {
        authorization: KEY,
        'idempotency-key': key,
        ...(body !== null && { 'content-type': 'application/json' }),
      },
      ...(body !== null && { body }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    const reply = { status: response.status, body: await response.text() };
    count(`${reply.status} ${read(reply).code ?? 'ok'}`);
    return reply;
  } catch (error) {
    if (signal.aborted) throw error;
    count('lost');
    return null;
  }
}

function isFinal(reply: Reply): boolean {
  if (reply.status >= 500 || reply.status === 429) return false;
  return reply.status !== 409 || !PASSING_CONFLICTS.includes(read(reply).code ?? '');
}

function outcomeOf(reply: Reply | null): Outcome {
  if (reply === null || !isFinal(reply)) return 'gave_up';
  if (reply.status === 201) return 'accepted';
  return reply.status === 402 ? 'declined' : 'refused';
}

function read(reply: Reply | null): z.infer<typeof said> {
  if (reply === null || !reply.body.startsWith('{')) return {};
  try {
    return said.parse(JSON.parse(reply.body));
  } catch {
    // A body that was cut: nothing can be read from it.
    return {};
  }
}
