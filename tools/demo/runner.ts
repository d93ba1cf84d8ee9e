/**
 * Runs one scenario on the running stack: arms its fault, places its order, prints the order's
 * timeline as it grows and compares the outcome. The fault is cleared in every case.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import type { SandboxClient } from '../sandbox-client.ts';
import { counts, eventRow, paint, row } from './paint.ts';
import type { Outcome, Scenario } from './scenarios.ts';
import {
  intentOf,
  orderIdSchema,
  paymentActionSchema,
  type Shop,
  type TimelineEntry,
} from './shop.ts';
import type { TemporalUi } from './temporal-ui.ts';
import { mismatches, type Found } from './verdict.ts';
import { POLL_MS, pollUntil } from './wait.ts';

export interface Environment {
  readonly shop: Shop;
  readonly sandbox: SandboxClient;
  readonly temporalUi: TemporalUi | null;
  /** Distinguishes this run's customers from those of earlier runs. */
  readonly run: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** A circuit breaker that an earlier run opened may delay a step for `BREAKER_PROBE_AFTER_MS`. */
const FOLLOW_TIMEOUT_MS = 90_000;
/** The workflow completes shortly after the last event. */
const CLOSE_TIMEOUT_MS = 10_000;

const ACTION_REQUIRED = 202;

const responseSchema = z.object({ id: orderIdSchema.optional(), code: z.string().optional() });

/** One line per unexpected result; empty when it passed. Rejects when the stack stops responding. */
export async function runScenario(
  environment: Environment,
  scenario: Scenario,
): Promise<readonly string[]> {
  const { sandbox, say } = environment;
  const { fault, expected } = scenario;
  try {
    if (fault !== null) {
      const { place, mode, times } = fault;
      await sandbox.arm(place, { mode, times });
      const often = times === 1 ? 'once' : `${times} times`;
      say(row(null, paint('yellow', `PUT /faults/${place} mode ${mode}, ${often}`)));
    }
    const placed = await placeOrder(environment, scenario);
    const failures = await follow(environment, scenario, placed);
    return [...failures, ...mismatches(expected, await inspect(environment, scenario, placed))];
  } finally {
    if (fault !== null) await sandbox.clearFaults();
  }
}

interface Placed {
  readonly email: string;
  readonly httpStatus: number;
  readonly code: string | null;
  readonly orderId: OrderId | null;
  readonly heldBefore: number;
}

async function placeOrder(environment: Environment, scenario: Scenario): Promise<Placed> {
  const { shop, run, say } = environment;
  const { name, sku, quantity, paymentMethod } = scenario;
  const email = `demo-${run}-${name.replaceAll(' ', '-')}@example.com`;
  const heldBefore = await shop.held(sku);
  const order = { email, name: 'Ada Lovelace', lines: [{ sku, quantity }], paymentMethod };
  const { status, body, tookMs } = await shop.place(order);
  const { id, code = null } = responseSchema.parse(body);
  const shown = id === undefined ? paint('cyan', code ?? '') : paint('bold', id);
  say(row(tookMs, `POST /v1/orders ${quantity} x ${sku}: ${status} ${shown}`));
  if (status === ACTION_REQUIRED) await confirmAtBank(environment, body);
  return { email, httpStatus: status, code, heldBefore, orderId: id ?? (await shop.find(email)) };
}

/** What the shopper does on the bank's page, and the shop's page afterwards. */
async function confirmAtBank({ shop, sandbox, say }: Environment, body: unknown): Promise<void> {
  const action = paymentActionSchema.parse(body);
  const path = `payments/intents/${intentOf(action)}/challenge`;
  await sandbox.act(path, { outcome: 'authenticated' });
  say(row(null, paint('yellow', `POST /${path}`), 'the shopper confirms on the page of the bank'));
  const { status, tookMs } = await shop.confirm(action.order_id);
  say(row(tookMs, `POST /v1/orders/{id}/confirm: ${status}`));
}

/** Prints new events until the order has ended. Returns what went wrong on the way. */
async function follow(
  environment: Environment,
  { expected, fault }: Scenario,
  { orderId, email }: Placed,
): Promise<readonly string[]> {
  const { shop, say, signal } = environment;
  if (orderId === null) return [];
  const deadline = performance.now() + FOLLOW_TIMEOUT_MS;
  const failures: string[] = [];
  let clearsWhenShipped = fault?.clears === 'order_shipped';
  for (let shown = 0; performance.now() < deadline;) {
    const timeline = await shop.timeline(orderId);
    const firstAt = timeline[0]?.time ?? '';
    for (const entry of timeline.slice(shown)) say(eventRow(entry, firstAt));
    shown = timeline.length;
    if (clearsWhenShipped && timeline.some(({ type }) => type === 'order.shipped')) {
      clearsWhenShipped = false;
      failures.push(...(await restoreMail(environment, email)));
    }
    if (hasEnded(expected, timeline)) return failures;
    await delay(POLL_MS, undefined, { signal });
  }
  return [...failures, `the order did not end within ${FOLLOW_TIMEOUT_MS / 1000} s`];
}

/** The order has shipped while mail was down; from here on the e-mails can be sent. */
async function restoreMail(
  { sandbox, say }: Environment,
  email: string,
): Promise<readonly string[]> {
  const tooEarly = await sandbox.mails(email);
  await sandbox.clearFaults();
  say(row(null, paint('yellow', 'DELETE /faults'), 'shipped without an e-mail; now they are sent'));
  return tooEarly.length === 0 ? [] : ['an e-mail arrived while the mail server was down'];
}

function hasEnded({ status, mails }: Outcome, timeline: readonly TimelineEntry[]): boolean {
  const notified = timeline.filter(({ type }) => type === 'order.customer_notified');
  const isLast = timeline.some(({ type }) => type === `order.${status}`);
  return isLast && notified.length >= mails.length;
}

/** The outcome by the shop, the providers' ledgers, the inbox and Temporal. */
async function inspect(
  environment: Environment,
  { sku, expected }: Scenario,
  { orderId, email, httpStatus, code, heldBefore }: Placed,
): Promise<Found> {
  const { shop, sandbox, temporalUi, signal, say } = environment;
  const mails = (await sandbox.mails(email)).map(notificationOf);
  const unitsHeld = async (): Promise<number> => Math.max(0, (await shop.held(sku)) - heldBefore);
  // Other customers may hold some for a moment.
  const stillHeld = await pollUntil(unitsHeld, (units) => units === 0, {
    signal,
    timeoutMs: CLOSE_TIMEOUT_MS,
  });
  const known = { httpStatus, code, mails, stillHeld };
  if (orderId === null) {
    say(row(null, 'no order, no payment, no workflow'));
    const nothing = { status: null, cancelReason: null, payment: null, effects: {} };
    return { ...nothing, ...known, workflow: 'none' };
  }
  const { status, cancel_reason: cancelReason, payment } = await shop.show(orderId);
  const effects = await effectsOf(sandbox, orderId);
  say(row(null, `ledgers   ${counts(effects)}`));
  say(row(null, `inbox     ${mails.join(', ') || 'none'}`));
  const found = { ...known, status, cancelReason, payment: payment?.status ?? null, effects };
  if (temporalUi === null) return { ...found, workflow: expected.workflow };
  const state = () => temporalUi.status(orderId);
  const workflow = await pollUntil(state, (each) => each !== 'running', {
    signal,
    timeoutMs: CLOSE_TIMEOUT_MS,
  });
  say(row(null, `workflow  ${workflow}`, workflow === 'none' ? '' : temporalUi.page(orderId)));
  return { ...found, workflow };
}

/** How often each effect happened to the order, by the providers' ledgers. */
async function effectsOf(sandbox: SandboxClient, orderId: OrderId) {
  const [payments, goods] = await Promise.all([
    sandbox.ledger('payments'),
    sandbox.ledger('warehouse'),
  ]);
  const effects: Record<string, number> = {};
  for (const { operation, order_id } of [...payments, ...goods]) {
    if (order_id === orderId) effects[operation] = (effects[operation] ?? 0) + 1;
  }
  return effects;
}

/** Which notification an e-mail is: its Message-ID says so. */
function notificationOf(messageId: string): string {
  return /\.([a-z]+)@/.exec(messageId)?.[1] ?? messageId;
}
