/**
 * An order's saga as it stands: each step with its compensation, derived from the order's view alone.
 * Pure; saga-picture.ts draws it.
 */
import { CHECKOUT_STEP } from '../../domain/checkout-steps.ts';
import type { EventType, OrderStatus } from '../../domain/order.ts';
import type { OrderView } from '../schemas/orders.ts';
import { words } from './parts.ts';
import { SAGA_ROWS, type SagaRow } from './saga-rows.ts';

export type StepState =
  'waiting' | 'running' | 'retrying' | 'done' | 'failed' | 'compensated' | 'skipped' | 'not_needed';

export interface Mark {
  readonly label: string;
  readonly state: StepState;
  /** When it ended, or when its request was accepted: ms since the order was created. */
  readonly afterMs: number | null;
  /** Failed attempts since the last decision; 0 when none is known. */
  readonly attempts: number;
  /** The last failure, or why it was refused, in words. */
  readonly failure: string | null;
  readonly nextAttemptAt: string | null;
  /** What it waits for, in words. */
  readonly waitsFor: string | null;
}

export interface SagaStep extends Mark {
  /** Who carries it out. */
  readonly by: string;
  readonly compensation: Mark | null;
}

export type SagaSource = Pick<
  OrderView,
  | 'status'
  | 'created_at'
  | 'cancel_reason'
  | 'timeline'
  | 'attention'
  | 'trouble'
  | 'payment'
  | 'shipment'
>;

const DEAD_ENDS: readonly string[] = ['cancelled', 'declined', 'expired'];
const OVER: readonly string[] = ['shipped', 'delivered', ...DEAD_ENDS];

/** The steps in their order; the customer's notification is the last. */
export function sagaOf(order: SagaSource): readonly SagaStep[] {
  const facts = readFacts(order);
  const isBehind = ({ done, step }: SagaRow) =>
    facts.at(done) !== null || facts.skippedAt(step) !== null;
  const due = SAGA_ROWS.findIndex((row) => !isBehind(row));
  const steps = SAGA_ROWS.map((row, at) => {
    const mark = forwardMark(facts, row, due === -1 ? -1 : at - due);
    return { ...mark, by: row.by, compensation: compensationMark(facts, row, mark) };
  });
  return [...steps, notification(facts)];
}

/**
 * Whether anything may change without an operator. An order that is not over counts too: between the
 * commit of its last compensation and that of its end no step is running.
 */
export function isMoving(status: OrderStatus, steps: readonly SagaStep[]): boolean {
  if (!OVER.includes(status)) return true;
  const marks = steps.flatMap((step) => [step, step.compensation ?? []]).flat();
  return (
    marks.some(({ state }) => state === 'running' || state === 'retrying') ||
    steps.some(({ state }) => state === 'waiting')
  );
}

interface Facts {
  readonly order: SagaSource;
  /** Completed steps are compensated, or have been. */
  readonly isBackward: boolean;
  /** Nothing moves any more. */
  readonly isOver: boolean;
  readonly isCaptured: boolean;
  /** ms from the creation of the order to the first event of the type. */
  at(type: EventType): number | null;
  /** The same until an operator took the step as settled. */
  skippedAt(step: string | null): number | null;
  afterMs(entry: { readonly time: string } | undefined): number | null;
}

function readFacts(order: SagaSource): Facts {
  const { timeline, status } = order;
  const createdAt = Date.parse(order.created_at);
  const afterMs: Facts['afterMs'] = (entry) => (entry ? Date.parse(entry.time) - createdAt : null);
  const at: Facts['at'] = (type) => afterMs(timeline.find((each) => each.type === type));
  const isShipped = at('order.shipped') !== null;
  const isSkip = ({ type, data }: SagaSource['timeline'][number], step: string | null) =>
    type === 'order.attention_resolved' && data['step'] === step && data['decision'] === 'skip';
  return {
    order,
    isBackward: !isShipped && (DEAD_ENDS.includes(status) || at('order.cancelling') !== null),
    isOver: OVER.includes(status),
    isCaptured: at('order.paid') !== null || (order.payment?.captured_minor ?? 0) > 0,
    at,
    skippedAt: (step) => afterMs(timeline.findLast((each) => isSkip(each, step))),
    afterMs,
  };
}

const BLANK = { afterMs: null, attempts: 0, failure: null, nextAttemptAt: null, waitsFor: null };

/** `ahead`: how many steps it comes after the one that is due; negative when it is behind. */
function forwardMark(facts: Facts, row: SagaRow, ahead: number): Mark {
  const { order, at, skippedAt } = facts;
  const mark = { ...BLANK, label: row.label };
  const doneAt = at(row.done);
  if (doneAt !== null) return { ...mark, state: 'done', afterMs: doneAt };
  const skipped = skippedAt(row.step);
  if (skipped !== null) return { ...mark, state: 'skipped', afterMs: skipped };
  const refusal = ahead === 0 ? refusalOf(facts, row) : null;
  if (refusal !== null) return { ...mark, state: 'failed', ...refusal };
  if (facts.isBackward || facts.isOver) return { ...mark, state: 'not_needed' };
  if (ahead > 0) return { ...mark, state: 'waiting', waitsFor: 'the step before it' };
  if (row.done === 'order.placed' && order.payment?.status === 'requires_action') {
    const afterMs = at('order.payment_action_required');
    return { ...mark, state: 'waiting', afterMs, waitsFor: 'the shopper at the bank' };
  }
  const stuck = troubleOf(order, [row.step ?? '', CHECKOUT_STEP]);
  if (stuck !== null) return { ...mark, ...stuck };
  const requestedAt = row.step === 'shipOrder' ? at('order.shipment_requested') : null;
  const heldAt = row.step === 'shipOrder' ? at('order.shipment_held') : null;
  if (requestedAt === null && heldAt !== null) {
    return {
      ...mark,
      state: 'waiting',
      afterMs: heldAt,
      waitsFor: 'the cases of the payment to close',
    };
  }
  if (requestedAt === null) return { ...mark, state: 'running' };
  return { ...mark, state: 'waiting', afterMs: requestedAt, waitsFor: "the warehouse's callback" };
}

/** Why the step ended the order, if it did. */
function refusalOf({ order, at }: Facts, row: SagaRow): Pick<Mark, 'failure' | 'afterMs'> | null {
  const declinedAt = at('order.declined');
  const code = order.payment?.decline_code;
  if (declinedAt !== null)
    return { failure: `declined${code ? `: ${words(code)}` : ''}`, afterMs: declinedAt };
  const expiredAt = at('order.expired');
  if (expiredAt !== null) {
    const isAction = at('order.payment_action_required') !== null;
    const failure = isAction ? 'not confirmed in time' : 'no answer in time';
    return { failure, afterMs: expiredAt };
  }
  const afterMs = at('order.cancelling') ?? at('order.cancelled');
  const { cancel_reason: reason } = order;
  if (reason === null) return null;
  if (row.refusedAs === reason) return { failure: `refused by the ${row.by}`, afterMs };
  return reason === 'deadline_passed' ? { failure: 'its retry budget is used up', afterMs } : null;
}

type Stuck = Pick<Mark, 'state' | 'attempts' | 'failure' | 'nextAttemptAt' | 'waitsFor'>;

/** Whether a person is asked about a step of these names, or it is being retried. */
function troubleOf(order: SagaSource, names: readonly string[]): Stuck | null {
  const asked = order.attention?.steps.find(({ step }) => names.includes(step));
  if (asked !== undefined) {
    const { attempts, last_failure: failure } = asked;
    return {
      state: 'failed',
      attempts,
      failure,
      nextAttemptAt: null,
      waitsFor: "a person's decision",
    };
  }
  const retried = order.trouble.find(({ step }) => names.includes(step));
  if (retried === undefined) return null;
  const { attempts, last_failure: failure, next_attempt_at: nextAttemptAt } = retried;
  return { state: 'retrying', attempts, failure, nextAttemptAt, waitsFor: null };
}

function compensationMark(facts: Facts, row: SagaRow, step: Mark): Mark {
  const { at, skippedAt, isBackward, isOver, order } = facts;
  const { compensation } = row;
  const mark = { ...BLANK, label: compensation.label };
  const compensatedAt = at(compensation.done);
  if (compensatedAt !== null) return { ...mark, state: 'compensated', afterMs: compensatedAt };
  if (!isDue(facts, row, step)) return { ...mark, state: 'not_needed' };
  if (!isBackward) return { ...mark, state: 'waiting' };
  const skipped = skippedAt(compensation.step);
  if (skipped !== null) return { ...mark, state: 'skipped', afterMs: skipped };
  // The API compensates such an order itself, with the same change.
  const endedAt = at('order.declined') ?? at('order.expired');
  if (endedAt !== null) return { ...mark, state: 'compensated', afterMs: endedAt };
  if (isOver) return { ...mark, state: 'not_needed' };
  return { ...mark, ...(troubleOf(order, [compensation.step]) ?? { state: 'running' as const }) };
}

/** Whether the step leaves something that a cancel has to compensate. */
function isDue(
  { order, isBackward, isOver, isCaptured, at }: Facts,
  row: SagaRow,
  step: Mark,
): boolean {
  if (isOver && !isBackward) return false;
  switch (row.done) {
    case 'order.placed':
      // What was not confirmed is voided as well.
      return (step.state === 'done' || at('order.payment_action_required') !== null) && !isCaptured;
    case 'order.paid':
      return isCaptured;
    case 'order.shipped':
      return step.state !== 'failed' || !isBackward
        ? at('order.shipment_requested') !== null || order.shipment?.status === 'requested'
        : false;
    default:
      return step.state === 'done';
  }
}

const NOTIFIED: readonly string[] = ['order.customer_notified', 'order.notification_failed'];

/** The mail that is due by the order's state. */
function notification(facts: Facts): SagaStep {
  const { order, afterMs } = facts;
  const mark = { ...BLANK, label: 'Notify', by: 'mail server', compensation: null };
  const retried = order.trouble.find(({ step }) => step.startsWith('notify: '));
  const stuck = retried && troubleOf(order, [retried.step]);
  if (stuck) return { ...mark, ...stuck };
  const due = dueNotification(facts);
  if (due === null && facts.isOver) return { ...mark, state: 'not_needed' };
  if (due === null) return { ...mark, state: 'waiting', waitsFor: 'the capture' };
  const last = order.timeline.findLast(
    ({ type, data }) => NOTIFIED.includes(type) && data['notification'] === due,
  );
  if (last === undefined) return { ...mark, state: 'running' };
  if (last.type === 'order.customer_notified')
    return { ...mark, state: 'done', afterMs: afterMs(last) };
  const { failure } = last.data;
  return { ...mark, state: 'failed', afterMs: afterMs(last), failure: String(failure) };
}

function dueNotification({ at }: Facts): 'confirmed' | 'shipped' | 'cancelled' | null {
  if (at('order.shipped') !== null) return 'shipped';
  if (at('order.cancelled') !== null) return 'cancelled';
  return at('order.paid') === null ? null : 'confirmed';
}
