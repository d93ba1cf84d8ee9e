/**
 * Plays one fate on the running stack: breaks what it says, places its order, prints the order's
 * timeline as it grows, and compares the end. A fault it armed is cleared whatever happens.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Ending, Scenario } from './scenarios.ts';
import type { Outside } from './environment.ts';
import { counts, eventRow, paint, row } from './paint.ts';
import type { Shop, TimelineEntry } from './shop.ts';
import { differences, type Seen } from './verdict.ts';

export interface Environment {
  readonly shop: Shop;
  readonly outside: Outside;
  /** Tells this run's shoppers from those of every run before. */
  readonly run: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const POLL_MS = 50;
/** An open breaker of an earlier run may hold a step for 60 s. */
const FOLLOW_MS = 90_000;
/** The workflow ends a moment after the last event. */
const CLOSE_MS = 10_000;

const answerForm = z.object({ id: z.string().optional(), code: z.string().optional() });

/** What did not end as it should; nothing when all did. Rejects when the stack stops answering. */
export async function runScenario(stage: Environment, fate: Scenario): Promise<readonly string[]> {
  try {
    return await runOnce(stage, fate);
  } finally {
    if (fate.fault !== null) await stage.outside.clearFaults();
  }
}

interface Placed {
  readonly email: string;
  readonly answer: number;
  readonly code: string | null;
  readonly orderId: string | null;
  readonly heldBefore: number;
}

async function runOnce(stage: Environment, fate: Scenario): Promise<readonly string[]> {
  const { outside, say } = stage;
  if (fate.fault !== null) {
    const { place, mode, times } = fate.fault;
    await outside.arm(fate.fault);
    const often = times === 1 ? 'once' : `${times} times`;
    say(row(null, paint('yellow', `PUT /faults/${place} mode ${mode}, ${often}`)));
  }
  const placed = await place(stage, fate);
  const early = await follow(stage, fate, placed);
  const seen = await look(stage, fate, placed);
  return [...early, ...differences(fate.ends, seen)];
}

async function place({ shop, run, say }: Environment, fate: Scenario): Promise<Placed> {
  const email = `demo-${run}-${fate.name.replaceAll(' ', '-')}@example.com`;
  const { sku, quantity, paymentMethod } = fate;
  const heldBefore = await shop.held(sku);
  const { status, body, tookMs } = await shop.place({ email, sku, quantity, paymentMethod });
  const { id, code = null } = answerForm.parse(body);
  const said = id === undefined ? paint('cyan', code ?? '') : paint('bold', id);
  say(row(tookMs, `POST /v1/orders ${quantity} x ${sku}: ${status} ${said}`));
  return { email, answer: status, code, heldBefore, orderId: id ?? (await shop.find(email)) };
}

/** Prints events as they come, until the order has ended. Returns what went wrong on the way. */
async function follow(
  stage: Environment,
  fate: Scenario,
  placed: Placed,
): Promise<readonly string[]> {
  const { shop, say, signal } = stage;
  const { orderId, email } = placed;
  if (orderId === null) return [];
  const giveUpAt = performance.now() + FOLLOW_MS;
  const wrong: string[] = [];
  let waitsToClear = fate.fault?.clears === 'order_shipped';
  for (let shown = 0; performance.now() < giveUpAt;) {
    const timeline = await shop.timeline(orderId);
    const firstAt = timeline[0]?.time ?? '';
    for (const entry of timeline.slice(shown)) say(eventRow(entry, firstAt));
    shown = timeline.length;
    if (waitsToClear && timeline.some(({ type }) => type === 'order.shipped')) {
      waitsToClear = false;
      wrong.push(...(await comeBack(stage, email)));
    }
    if (hasEnded(fate.ends, timeline)) return wrong;
    await delay(POLL_MS, undefined, { signal });
  }
  return [...wrong, `it did not end within ${FOLLOW_MS / 1000} s`];
}

/** The order has shipped without what was down; now that may come back. */
async function comeBack({ outside, say }: Environment, email: string): Promise<readonly string[]> {
  const tooEarly = await outside.mails(email);
  await outside.clearFaults();
  say(row(null, paint('yellow', 'DELETE /faults'), 'shipped without a mail; now the mails may go'));
  return tooEarly.length === 0 ? [] : ['a mail came although the mail server was down'];
}

function hasEnded({ status, mails }: Ending, timeline: readonly TimelineEntry[]): boolean {
  const told = timeline.filter(({ type }) => type === 'order.customer_notified');
  const last = timeline.some(({ type }) => type === `order.${status}`);
  return last && told.length >= mails.length;
}

/** How it ended, by the shop, by the providers' own ledgers, by the inbox and by Temporal. */
async function look(stage: Environment, fate: Scenario, placed: Placed): Promise<Seen> {
  const { shop, outside, say } = stage;
  const { orderId, email, answer, code } = placed;
  const [sent, stillHeld] = await Promise.all([
    outside.mails(email),
    unitsStillHeld(stage, fate.sku, placed.heldBefore),
  ]);
  const known = { answer, code, mails: sent.map(notificationOf), stillHeld };
  if (orderId === null) {
    say(row(null, 'no order, no payment, no workflow'));
    const nothing = { status: null, cancelReason: null, payment: null, effects: {} };
    return { ...nothing, ...known, workflow: 'none' };
  }
  const [order, effects, closed] = await Promise.all([
    shop.show(orderId),
    outside.effects(orderId),
    whenClosed(stage, orderId),
  ]);
  const workflow = closed ?? fate.ends.workflow;
  const page = workflow === 'none' ? null : outside.workflowPage(orderId);
  say(row(null, `ledgers   ${counts(effects)}`));
  say(row(null, `inbox     ${known.mails.join(', ') || 'none'}`));
  say(row(null, `workflow  ${closed ?? 'not asked'}`, page ?? ''));
  const { status, cancelReason, payment } = order;
  return { ...known, status, cancelReason, payment, workflow, effects };
}

/** Zero as soon as no more is held than before; other shoppers may hold some for a moment. */
async function unitsStillHeld(stage: Environment, sku: string, before: number): Promise<number> {
  const giveUpAt = performance.now() + CLOSE_MS;
  for (;;) {
    const more = (await stage.shop.held(sku)) - before;
    if (more <= 0) return 0;
    if (performance.now() > giveUpAt) return more;
    await delay(POLL_MS, undefined, { signal: stage.signal });
  }
}

/** The state the workflow ends in, or the one it still has after 10 s. */
async function whenClosed(
  { outside, signal }: Environment,
  orderId: string,
): Promise<string | null> {
  const giveUpAt = performance.now() + CLOSE_MS;
  for (;;) {
    const state = await outside.workflow(orderId);
    if (state !== 'running' || performance.now() > giveUpAt) return state;
    await delay(POLL_MS, undefined, { signal });
  }
}

/** Which notice a mail is: its Message-ID says so. */
function notificationOf(messageId: string): string {
  return /\.([a-z]+)@/.exec(messageId)?.[1] ?? messageId;
}
