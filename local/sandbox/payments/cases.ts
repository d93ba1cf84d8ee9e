/**
 * Disputes, early fraud warnings and reviews of payments: opened by a test card or by the control
 * routes, closed by the control routes or by what happens to the payment.
 */
import { randomUUID } from 'node:crypto';
import {
  disputeSchema,
  reviewSchema,
  showDispute,
  showReview,
  showWarning,
  warningSchema,
  WITHDRAWN,
  type Dispute,
  type DisputeStatus,
  type Review,
  type Warning,
} from './case-records.ts';
import type { Table } from '../journal.ts';
import { troubleOf } from './cards.ts';
import type { IntentStore } from './intents.ts';
import type { IntentDeps, IntentMove } from './steps.ts';
import { orderOf } from './records.ts';
import type { Intent } from './records.ts';

export interface CaseStore {
  /** Newest first. */
  disputes(): readonly Dispute[];
  warnings(): readonly Warning[];
  reviews(): readonly Review[];
  /** Opens a dispute of what the payment has left, or an inquiry before one. */
  dispute(intent: Intent, about: DisputeAbout): Dispute;
  /** Undefined when there is no such dispute. */
  moveDispute(id: string, status: DisputeStatus): Dispute | undefined;
  warn(intent: Intent): Warning;
  review(intent: Intent): Review;
  /** Undefined when there is no such review. */
  closeReview(id: string, reason: string): Review | undefined;
  /** What the payment's test card brings, and what ends with the payment. */
  follow(move: IntentMove, intent: Intent): void;
}

interface DisputeAbout {
  readonly reason: string;
  readonly isInquiry: boolean;
  readonly amountMinor?: number;
}

const MAX_CASES = 10_000;
/** Stripe's time to respond is 7 to 21 days, by the card's network. */
const RESPOND_WITHIN_MS = 9 * 24 * 3_600_000;

export function createCaseStore(deps: IntentDeps, intents: IntentStore): CaseStore {
  const { journal } = deps;
  const tables: CaseTables = {
    deps,
    intents,
    disputes: journal.table({ name: 'disputes', row: disputeSchema, limit: MAX_CASES }),
    warnings: journal.table({ name: 'warnings', row: warningSchema, limit: MAX_CASES }),
    reviews: journal.table({ name: 'reviews', row: reviewSchema, limit: MAX_CASES }),
  };
  return {
    disputes: () => [...tables.disputes.values()].toReversed(),
    warnings: () => [...tables.warnings.values()].toReversed(),
    reviews: () => [...tables.reviews.values()].toReversed(),
    dispute: (intent, about) => journal.transact(() => dispute(tables, intent, about)),
    moveDispute: (id, status) => journal.transact(() => moveDispute(tables, id, status)),
    warn: (intent) => journal.transact(() => warn(tables, intent)),
    review: (intent) => journal.transact(() => review(tables, intent)),
    closeReview: (id, reason) => journal.transact(() => closeReview(tables, id, reason)),
    follow: (move, intent) => follow(tables, move, intent),
  };
}

interface CaseTables {
  readonly deps: IntentDeps;
  readonly intents: IntentStore;
  readonly disputes: Table<Dispute>;
  readonly warnings: Table<Warning>;
  readonly reviews: Table<Review>;
}

function follow(tables: CaseTables, move: IntentMove, intent: Intent): void {
  const trouble = troubleOf(intent.payment_method);
  if (move === 'authorized' && trouble?.kind === 'warning') warn(tables, intent);
  if (move === 'authorized' && trouble?.kind === 'review') review(tables, intent);
  if (move === 'captured' && trouble?.kind === 'dispute') dispute(tables, intent, trouble);
  if (move === 'canceled') endReviews(tables, intent.id, 'canceled');
  if (move !== 'refunded' || intent.refunded_minor < intent.captured_minor) return;
  endWarnings(tables, intent.id);
  endReviews(tables, intent.id, 'refunded');
}

function opened({ deps }: CaseTables, prefix: string, { id, charge_id }: Intent) {
  return {
    id: `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 24)}`,
    intent_id: id,
    charge_id,
    created_at_ms: deps.clock.now(),
  };
}

function dispute(tables: CaseTables, intent: Intent, about: DisputeAbout): Dispute {
  const { deps, disputes } = tables;
  const leftMinor = intent.captured_minor - intent.refunded_minor - intent.disputed_minor;
  const row: Dispute = {
    ...opened(tables, 'dp', intent),
    amount_minor: about.amountMinor ?? leftMinor,
    currency: intent.currency,
    reason: about.reason,
    status: about.isInquiry ? 'warning_needs_response' : 'needs_response',
    due_by_ms: deps.clock.now() + RESPOND_WITHIN_MS,
  };
  disputes.set(row.id, row);
  deps.emit('charge.dispute.created', showDispute(row));
  if (!about.isInquiry) moveMoney(tables, row, 'withdrawn');
  return row;
}

function moveDispute(tables: CaseTables, id: string, status: DisputeStatus): Dispute | undefined {
  const before = tables.disputes.get(id);
  if (before === undefined) return undefined;
  const row: Dispute = { ...before, status };
  tables.disputes.set(id, row);
  const isWithdrawn = WITHDRAWN.includes(status);
  if (WITHDRAWN.includes(before.status) !== isWithdrawn) {
    moveMoney(tables, row, isWithdrawn ? 'withdrawn' : 'reinstated');
  }
  const isClosed = CLOSED.includes(status);
  tables.deps.emit(isClosed ? 'charge.dispute.closed' : 'charge.dispute.updated', showDispute(row));
  return row;
}

const CLOSED: readonly DisputeStatus[] = ['warning_closed', 'won', 'lost', 'prevented'];

function moveMoney(tables: CaseTables, row: Dispute, direction: 'withdrawn' | 'reinstated'): void {
  const { deps, intents } = tables;
  const intent = intents.find(row.intent_id);
  if (intent === undefined) return;
  const isWithdrawn = direction === 'withdrawn';
  const movedMinor = isWithdrawn ? row.amount_minor : -row.amount_minor;
  intents.put({ ...intent, disputed_minor: intent.disputed_minor + movedMinor });
  deps.ledger.record({
    key: row.id,
    operation: isWithdrawn ? 'dispute' : 'dispute_reversal',
    order_id: orderOf(intent),
    amount_minor: row.amount_minor,
    currency: row.currency.toUpperCase(),
  });
  deps.emit(`charge.dispute.funds_${direction}`, showDispute(row));
  if (!isWithdrawn) return;
  endWarnings(tables, intent.id);
  endReviews(tables, intent.id, 'disputed');
}

function warn(tables: CaseTables, intent: Intent): Warning {
  const fraud = { actionable: true, fraud_type: 'unauthorized_use_of_card' };
  const row: Warning = { ...opened(tables, 'issfr', intent), ...fraud };
  tables.warnings.set(row.id, row);
  tables.deps.emit('radar.early_fraud_warning.created', showWarning(row));
  return row;
}

/** The payment names its review from the authorization on. */
function review(tables: CaseTables, intent: Intent): Review {
  const row: Review = { ...opened(tables, 'prv', intent), closed_reason: null };
  const named = intent.review_id;
  const known = named !== null && !tables.reviews.get(named) ? { ...row, id: named } : row;
  tables.reviews.set(known.id, known);
  tables.intents.put({ ...intent, review_id: known.id });
  tables.deps.emit('review.opened', showReview(known));
  return known;
}

function closeReview(tables: CaseTables, id: string, reason: string): Review | undefined {
  const before = tables.reviews.get(id);
  if (before === undefined || before.closed_reason !== null) return before;
  const row: Review = { ...before, closed_reason: reason };
  tables.reviews.set(id, row);
  tables.deps.emit('review.closed', showReview(row));
  return row;
}

/** A warning is actionable until the payment is disputed or refunded in full. */
function endWarnings({ warnings, deps }: CaseTables, intentId: string): void {
  for (const each of warnings.values()) {
    if (each.intent_id !== intentId || !each.actionable) continue;
    const row = { ...each, actionable: false };
    warnings.set(row.id, row);
    deps.emit('radar.early_fraud_warning.updated', showWarning(row));
  }
}

function endReviews(tables: CaseTables, intentId: string, reason: string): void {
  for (const each of tables.reviews.values()) {
    if (each.intent_id === intentId) closeReview(tables, each.id, reason);
  }
}
