/**
 * Processes the payment provider's webhooks, some seconds after they were stored. One with a handler
 * (handlers.ts) makes it look the named object up; the others are compared with our records, many at
 * once, and change nothing. Webhooks arrive in any order, even before the response to the call that
 * caused them: one that matches no record yet is compared again for a while.
 */
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import {
  deadLetterMessages,
  listUnprocessed,
  markProcessed,
  markTried,
  resolveMessage,
  type InboxMessage,
} from '../../prisma/events/inbox.ts';
import { loadPaymentHistories } from '../../prisma/payments/payment-records.ts';
import { eachItem } from '../../telemetry/items.ts';
import { itemLoop } from '../items.ts';
import { classify, namedBy, type Classification } from './classify.ts';
import type { HandlerOutcome, PaymentWebhookDeps } from './handler.ts';
import { handlerOf } from './handlers.ts';

/** By then our record is written, either from the provider's response or from a lookup. */
const FINAL_AFTER_MS = 60_000;
/** As long as Stripe itself repeats a webhook. */
const GIVE_UP_AFTER_MS = 3 * 24 * 3_600_000;

/**
 * Processes the open webhooks, many at once. One that matches no record yet stays open until it is older
 * than `finalAfterMs`. Returns the number of those that were closed then.
 */
export async function processPaymentWebhooks(
  deps: PaymentWebhookDeps,
  limits: {
    readonly olderThanMs: number;
    readonly limit: number;
    readonly finalAfterMs?: number;
    readonly giveUpAfterMs?: number;
  },
): Promise<number> {
  const { limit, olderThanMs, finalAfterMs = FINAL_AFTER_MS } = limits;
  const { giveUpAfterMs = GIVE_UP_AFTER_MS } = limits;
  const page = { source: 'payments', limit, isSpaced: true } as const;
  const old = await listUnprocessed(deps.db, { ...page, olderThanMs: finalAfterMs });
  const closed = await processAll(deps, await handleAll(deps, old), { isFinal: true });
  const young = await listUnprocessed(deps.db, { ...page, olderThanMs });
  await processAll(deps, await handleAll(deps, young), { isFinal: false });
  await giveUp(deps, giveUpAfterMs);
  return closed;
}

/**
 * Runs the handler of a message now. Undefined: it has none, or is left for the next pass, which
 * compares it with our records. Throws what the handler throws; the message then stays open.
 */
export async function handlePaymentWebhook(
  deps: PaymentWebhookDeps,
  message: InboxMessage,
): Promise<HandlerOutcome | undefined> {
  const outcome = await handlerOf(message.type)?.handle(deps, message);
  if (outcome === undefined || outcome === 'later' || outcome === 'compare') return outcome;
  const { source, id } = message;
  await markProcessed(deps.db, { source, ids: [id] }, OUTCOMES[outcome]);
  await resolveMessage(deps.db, message);
  if (outcome === 'not_understood') deps.onNotUnderstood(message);
  return outcome;
}

/** What could be handled neither now nor for days waits for a person. */
async function giveUp({ db, log }: PaymentWebhookDeps, afterMs: number): Promise<void> {
  const error = 'the provider did not say, or our own record was not written, for three days';
  for (const { id, type } of await deadLetterMessages(db, { source: 'payments', afterMs, error })) {
    log.warn({ webhook_id: id, type }, 'a webhook of the payment provider is a dead letter');
  }
}

/** As they are recorded in the inbox. */
const OUTCOMES = {
  done: 'handled',
  unknown_payment: 'unknown_payment',
  not_understood: 'not_understood',
} as const satisfies Partial<Record<HandlerOutcome, string>>;

/** Returns those that are to be compared with our records. */
async function handleAll(
  deps: PaymentWebhookDeps,
  messages: readonly InboxMessage[],
): Promise<readonly InboxMessage[]> {
  const selected = await selectHandled(deps, messages);
  const handled = messages.filter(({ id }) => selected.has(id));
  const compared: InboxMessage[] = messages.filter(({ id }) => !selected.has(id));
  await eachItem(handled, itemLoop(deps, 'handle_webhooks', idOf), async (message) => {
    await markTried(deps.db, 'payments', [message.id]);
    const outcome = await handlePaymentWebhook(deps, message);
    if (outcome === 'compare') compared.push(message);
    // The provider may not respond, so the others would wait as well. The next pass begins with those
    // that were not tried.
    return outcome === 'later' ? 'stop' : 'next';
  });
  return compared;
}

async function selectHandled(
  { db }: PaymentWebhookDeps,
  messages: readonly InboxMessage[],
): Promise<ReadonlySet<string>> {
  const selected: string[] = [];
  for (const handler of new Set(messages.map(({ type }) => handlerOf(type)))) {
    if (handler === undefined) continue;
    const those = messages.filter(({ type }) => handlerOf(type) === handler);
    selected.push(...((await handler.select?.(db, those)) ?? those.map(idOf)));
  }
  return new Set(selected);
}

interface Processing {
  /** Our record would be written by now. */
  readonly isFinal: boolean;
}

/** All at once; if that fails, each alone. Returns how many were closed. */
async function processAll(
  deps: PaymentWebhookDeps,
  messages: readonly InboxMessage[],
  how: Processing,
): Promise<number> {
  if (messages.length === 0) return 0;
  try {
    return await processBatch(deps, messages, how);
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error;
  }
  let closed = 0;
  await eachItem(messages, itemLoop(deps, 'payment_webhooks', idOf), async (message) => {
    closed += await processBatch(deps, [message], how);
  });
  return closed;
}

async function processBatch(
  deps: PaymentWebhookDeps,
  messages: readonly InboxMessage[],
  { isFinal }: Processing,
): Promise<number> {
  const { db } = deps;
  await markTried(db, 'payments', messages.map(idOf));
  const read = messages.map((message) => ({ message, named: namedBy(message) }));
  const findHistory = await loadPaymentHistories(
    db,
    read.flatMap(({ named }) => named ?? []),
  );
  const closing = read.flatMap(({ message, named }) => {
    const classification = classify(message, named, named && findHistory(named));
    const isOpen = classification === 'requested' || classification === 'unexpected';
    return isFinal || !isOpen ? [{ message, classification }] : [];
  });
  for (const outcome of new Set(closing.map(({ classification }) => classification))) {
    const those = closing.filter(({ classification }) => classification === outcome);
    const ids = those.map(({ message }) => message.id);
    await markProcessed(db, { source: 'payments', ids }, outcome);
  }
  // After all are recorded: if one of the statements fails, each is processed again alone.
  for (const { message, classification } of closing) report(deps, message, classification);
  return closing.length;
}

function idOf({ id }: InboxMessage): string {
  return id;
}

/** Reports to operators what they should check. */
function report(
  { log, onNotUnderstood }: PaymentWebhookDeps,
  message: InboxMessage,
  classification: Classification,
): void {
  if (classification === 'not_understood') onNotUnderstood(message);
  if (classification !== 'unexpected') return;
  const { id, type, orderId, payload } = message;
  log.warn(
    { webhook_id: id, type, order_id: orderId, reference: payload['reference'] },
    'the payment provider reports an operation that was not requested',
  );
}
