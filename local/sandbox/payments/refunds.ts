/**
 * Refunds of captured payments, never more than was captured. One may be pending, and fail after it
 * succeeded; the test cards that do so change by the sandbox's clock, seen when they are next read.
 */
import { randomUUID } from 'node:crypto';
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import { refundCourseOf } from './cards.ts';
import type { RefundCourse, RefundStatus } from './cards.ts';
import { finalError, invalid, missing } from './errors.ts';
import type { IntentStore } from './intents.ts';
import { partIn } from './parameters.ts';
import { refundSchema, showCharge, showIntent, showRefund } from './records.ts';
import type { Intent, Refund } from './records.ts';
import { recordEffect } from './steps.ts';
import type { IntentDeps, Step } from './steps.ts';

export interface RefundStore {
  refund(step: Step): ProviderResponse;
  /** As in the dashboard: without a key. The caller has checked the amount. */
  refundManually(
    intent: Intent,
    refund: { readonly amountMinor: number; readonly begins: RefundStatus },
  ): Refund;
  /** To any status, in any order. Undefined when there is no such refund. */
  move(id: string, status: RefundStatus): Refund | undefined;
  find(id: string): Refund | undefined;
  /** Newest first. */
  all(): readonly Refund[];
  /** Moves every refund that is due. */
  settleDue(): void;
}

interface Made {
  readonly intent: Intent;
  readonly amountMinor: number;
  readonly key: string | null;
  readonly reason: string | null;
  readonly metadata: Refund['metadata'];
  readonly course: RefundCourse;
}

const MAX_REFUNDS = 100_000;
/** When a test card's refund becomes what it becomes. Stripe says "some time later". */
const SETTLES_AFTER_MS = 10 * 60_000;
/** Of what has left the account: the others give it back. */
const RETURNING: readonly RefundStatus[] = ['pending', 'requires_action', 'succeeded'];

export function createRefundStore(deps: IntentDeps, intents: IntentStore): RefundStore {
  const refunds = deps.journal.table({ name: 'refunds', row: refundSchema, limit: MAX_REFUNDS });
  const { make, move } = createRefundMoves(deps, {
    intents,
    put: (refund) => refunds.set(refund.id, refund),
  });
  const current = (refund: Refund): Refund => {
    const isDue = deps.clock.now() >= refund.created_at_ms + SETTLES_AFTER_MS;
    const { becomes } = refund;
    if (becomes === null || !isDue) return refund;
    return deps.journal.transact(() => move(refund, becomes));
  };
  return {
    find: (id) => {
      const refund = refunds.get(id);
      return refund && current(refund);
    },
    all: () => [...refunds.values()].map(current).toReversed(),
    settleDue: () => {
      for (const refund of refunds.values()) current(refund);
    },
    move: (id, status) => {
      const refund = refunds.get(id);
      return refund && deps.journal.transact(() => move(refund, status));
    },
    refundManually: (intent, { amountMinor, begins }) => {
      const made = { intent, amountMinor, key: null, reason: null, metadata: {} };
      return deps.journal.transact(() => make({ ...made, course: { begins, becomes: null } }));
    },
    refund: (step) => {
      const intent = intentIn(step, intents);
      if ('body' in intent) return intent;
      const amountMinor = refundable(intent, step);
      if (typeof amountMinor !== 'number') return amountMinor;
      const made = make({
        intent,
        amountMinor,
        key: step.key,
        reason: step.form.text('reason'),
        metadata: step.form.entries('metadata'),
        course: refundCourseOf(intent.payment_method),
      });
      return ok(showRefund(made));
    },
  };
}

/** What a refund does to its charge, the ledger and the shop. */
function createRefundMoves(
  deps: IntentDeps,
  { intents, put }: { readonly intents: IntentStore; readonly put: (refund: Refund) => void },
) {
  /** A charge counts as refunded what is not sure yet, too. */
  const count = ({ intent_id: id }: Refund, byMinor: number): void => {
    const intent = intents.find(id);
    if (intent === undefined || byMinor === 0) return;
    intents.put({ ...intent, refunded_minor: intent.refunded_minor + byMinor });
  };
  /** The ledger has what was really returned. */
  const record = (refund: Refund, operation: 'refund' | 'refund_failed'): void => {
    const { intent_id: id, key, amount_minor: amountMinor } = refund;
    const intent = intents.find(id);
    if (intent !== undefined) recordEffect(deps, { operation, key, intent, amountMinor });
  };
  return {
    make(made: Made): Refund {
      const refund = newRefund(made, deps.clock.now());
      put(refund);
      count(refund, RETURNING.includes(refund.status) ? refund.amount_minor : 0);
      if (refund.status === 'succeeded') record(refund, 'refund');
      deps.emit('refund.created', showRefund(refund));
      const refunded = intents.find(refund.intent_id) ?? made.intent;
      deps.emit('charge.refunded', showCharge(refunded));
      deps.onMoved('refunded', refunded);
      return refund;
    },
    move(refund: Refund, status: RefundStatus): Refund {
      if (refund.status === status) return refund;
      const isFailed = status === 'failed';
      const failure_reason = isFailed ? 'expired_or_canceled_card' : null;
      const moved: Refund = { ...refund, status, becomes: null, failure_reason };
      put(moved);
      const sign = (each: RefundStatus): number => Number(RETURNING.includes(each));
      count(moved, (sign(status) - sign(refund.status)) * moved.amount_minor);
      if (status === 'succeeded') record(moved, 'refund');
      else if (refund.status === 'succeeded') record(moved, 'refund_failed');
      deps.emit('refund.updated', showRefund(moved));
      if (isFailed) deps.emit('refund.failed', showRefund(moved));
      return moved;
    },
  };
}

function newRefund({ intent, amountMinor, key, course, ...given }: Made, nowMs: number): Refund {
  const id = `re_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
  return {
    ...given,
    id,
    intent_id: intent.id,
    charge_id: intent.charge_id,
    amount_minor: amountMinor,
    currency: intent.currency,
    key: key ?? id,
    status: course.begins,
    becomes: course.becomes,
    failure_reason: null,
    created_at_ms: nowMs,
  };
}

function intentIn(step: Step, intents: IntentStore): Intent | ProviderResponse {
  const id = step.form.text('payment_intent');
  if (id !== null) return intents.find(id) ?? missing('payment_intent', id, 'param');
  return invalid('payment_intent', 'Give payment_intent.', 'parameter_missing');
}

/** The amount to refund, or the error response. */
function refundable(intent: Intent, step: Step): number | ProviderResponse {
  if (intent.status !== 'succeeded') {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'payment_intent_unexpected_state',
      message: `This PaymentIntent (${intent.id}) does not have a successful charge to refund.`,
      payment_intent: showIntent(intent),
    });
  }
  if (intent.disputed_minor > 0) {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'charge_disputed',
      message: `Charge ${intent.charge_id} has been charged back; it cannot be refunded.`,
    });
  }
  const leftMinor = intent.captured_minor - intent.refunded_minor;
  if (leftMinor === 0) {
    return finalError(400, {
      type: 'invalid_request_error',
      code: 'charge_already_refunded',
      message: `Charge ${intent.charge_id} has already been refunded.`,
    });
  }
  const amountMinor = partIn(step.form, 'amount', { whole: leftMinor, currency: intent.currency });
  if (typeof amountMinor !== 'number') return amountMinor;
  if (amountMinor > leftMinor) {
    const most = `Refund amount (${amountMinor}) is greater than unrefunded amount (${leftMinor}).`;
    return invalid('amount', most, 'amount_too_large');
  }
  if (!step.refused) return amountMinor;
  return finalError(400, {
    type: 'invalid_request_error',
    code: 'insufficient_funds',
    message: 'The balance does not cover this refund for now.',
  });
}
