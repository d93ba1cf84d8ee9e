/**
 * Disputes, early fraud warnings and reviews of payments, as the provider has them: their rows, what a
 * bank has taken back, and their events, in one transaction. Raw for the database's clock.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { EventType } from '../../domain/order.ts';
import {
  isInquiry,
  RESPONSE_STATUSES,
  WITHDRAWN_STATUSES,
  type CaseKind,
  type PaymentCase,
} from '../../domain/payment-case.ts';
import type { Database, Transaction } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import type { Prisma } from '../generated/client.ts';
import { recordDisputedMoneyLeft } from '../orders/disputed-money.ts';
import { orderTransaction, transitionOrder } from '../orders/transition.ts';

/** A case as the provider has it now. */
export type CaseState = Omit<PaymentCase, 'orderId' | 'closedAt'>;

export type RecordCaseOutcome =
  | { readonly kind: 'recorded'; readonly isHoldOver: boolean }
  /** A later answer of the provider's is recorded already, or the case is another order's. */
  | { readonly kind: 'outdated' };

/** Now, by the database's clock: take it before the provider is asked. */
export async function caseAskedAt(db: Database): Promise<string> {
  const [row] = await db.$queryRaw<{ at: Date }[]>`SELECT clock_timestamp() AS at`;
  if (row === undefined) throw new Error('the database returned no time');
  return row.at.toISOString();
}

/**
 * Records the state that the provider was asked for at `askedAt`. Safe in any order and any number of
 * times: the answer to a later question is kept. `isHoldOver`: the order's shipment was held, and no case
 * of it is open any more.
 */
export async function recordCase(
  db: Database,
  orderId: OrderId,
  read: { readonly state: CaseState; readonly askedAt: string },
): Promise<RecordCaseOutcome> {
  const { state } = read;
  return orderTransaction(db, orderId, async (tx) => {
    const before = await tx.paymentCase.findUnique({ where: { id: state.id } });
    if (!(await writeCase(tx, orderId, read))) return { kind: 'outdated' };
    if (state.kind === 'dispute') await sumDisputed(tx, orderId);
    if (before?.status !== state.status) {
      await publish(tx, orderId, { before, state });
      if (state.kind === 'dispute') await recordDisputedMoneyLeft(tx, orderId);
    }
    return { kind: 'recorded', isHoldOver: await isHoldOver(tx, orderId) };
  });
}

type KnownCase = Pick<PaymentCase, 'kind' | 'status'>;

async function writeCase(
  tx: Transaction,
  orderId: OrderId,
  { state, askedAt }: { readonly state: CaseState; readonly askedAt: string },
): Promise<boolean> {
  const { id, kind, status, amountMinor, currency, reason, isOpen, respondBy, openedAt } = state;
  const written = await tx.$executeRaw`
    INSERT INTO payment_cases (id, order_id, kind, status, amount_minor, currency, reason, is_open,
      respond_by, opened_at, closed_at, updated_at)
    VALUES (${id}, ${orderId}, ${kind}, ${status}, ${amountMinor}, ${currency}, ${reason}, ${isOpen},
      ${respondBy}::timestamptz, ${openedAt}::timestamptz, CASE WHEN NOT ${isOpen} THEN now() END,
      ${askedAt}::timestamptz)
    ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, amount_minor = EXCLUDED.amount_minor,
      currency = EXCLUDED.currency, reason = EXCLUDED.reason, is_open = EXCLUDED.is_open,
      respond_by = EXCLUDED.respond_by, opened_at = EXCLUDED.opened_at,
      closed_at = CASE WHEN NOT EXCLUDED.is_open THEN COALESCE(payment_cases.closed_at, now()) END,
      updated_at = EXCLUDED.updated_at
    WHERE payment_cases.updated_at <= EXCLUDED.updated_at
      AND payment_cases.order_id = EXCLUDED.order_id AND payment_cases.kind = EXCLUDED.kind`;
  return written === 1;
}

/** A dispute in another currency than the payment's is of all of it. */
async function sumDisputed(tx: Transaction, orderId: OrderId): Promise<void> {
  await tx.$executeRaw`
    UPDATE payments SET updated_at = now(), disputed_minor = COALESCE((
      SELECT sum(CASE WHEN c.currency = payments.currency THEN c.amount_minor
        ELSE payments.amount_minor END)
      FROM payment_cases c WHERE c.order_id = payments.order_id
        AND c.kind = 'dispute' AND c.status = ANY (${[...WITHDRAWN_STATUSES]}::text[])), 0)
    WHERE order_id = ${orderId}`;
}

/** What is new since the row `before`. The log does not tell: a case can outlive its events there. */
async function publish(
  tx: Transaction,
  orderId: OrderId,
  { before, state }: { readonly before: KnownCase | null; readonly state: CaseState },
): Promise<void> {
  const { id, status, reason, amountMinor, currency, respondBy } = state;
  const about = { case_id: id, status, reason };
  const money = { amount_minor: amountMinor, currency };
  const record = async (type: EventType, stage: string, data: object): Promise<void> => {
    await transitionOrder(tx, {
      orderId,
      type,
      dedupKey: `${type}/${id}/${stage}`,
      data: { ...about, ...data },
      causationId: id,
    });
  };
  switch (state.kind) {
    case 'dispute': {
      const stage = isInquiry(state) ? 'inquiry' : 'dispute';
      if (before === null || (isInquiry(before) && stage === 'dispute')) {
        await record('payment.disputed', stage, { ...money, respond_by: respondBy });
      }
      if (!state.isOpen) await record('payment.dispute_closed', status, money);
      return;
    }
    case 'fraud_warning':
      return record('payment.fraud_warning', status, {});
    case 'review':
      if (before === null) await record('payment.review_opened', 'opened', {});
      if (!state.isOpen) await record('payment.review_closed', status, {});
  }
}

async function isHoldOver(tx: Transaction, orderId: OrderId): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM orders WHERE id = ${orderId} AND status = 'paid'
      AND EXISTS (
        SELECT FROM events WHERE order_id = ${orderId} AND dedup_key = 'order.shipment_held')
      AND NOT EXISTS (SELECT FROM shipments WHERE order_id = ${orderId})
      AND NOT EXISTS (SELECT FROM payment_cases WHERE order_id = ${orderId} AND is_open)`;
  return rows.length > 0;
}

/** The order whose payment has this reference, or which it names; null: not a payment of ours. */
export async function findOrderOfCase(
  db: Database,
  named: { readonly reference: string } | { readonly orderId: string },
): Promise<{
  readonly orderId: OrderId;
  /** False: the provider's answer about the payment is not recorded yet. */
  readonly isRecorded: boolean;
  readonly reference: string | null;
} | null> {
  const where =
    'reference' in named ? { providerReference: named.reference } : { orderId: named.orderId };
  const row = await db.payment.findFirst({
    where,
    select: { orderId: true, providerReference: true, order: { select: { status: true } } },
  });
  if (row === null) return null;
  return {
    orderId: uncheckedColumn<OrderId>(row.orderId),
    isRecorded: row.order.status !== 'pending',
    reference: row.providerReference,
  };
}

/** An order has at most a few. */
const MAX_CASES = 50;

/** The latest cases of the order, oldest first. */
export async function listCases(
  db: Transaction,
  orderId: OrderId,
): Promise<readonly PaymentCase[]> {
  const rows = await db.paymentCase.findMany({
    where: { orderId },
    orderBy: [{ openedAt: 'desc' }, { id: 'desc' }],
    take: MAX_CASES,
  });
  return rows.map(toCase).toReversed();
}

/** Open cases that were not read for the longest time. */
export async function listOpenCases(
  db: Database,
  limit: number,
): Promise<readonly Pick<PaymentCase, 'id' | 'kind'>[]> {
  return db.paymentCase.findMany({
    where: { isOpen: true },
    orderBy: [{ updatedAt: 'asc' }, { id: 'asc' }],
    take: limit,
    select: { id: true, kind: true },
  });
}

export interface OpenCases {
  readonly byKind: Readonly<Record<CaseKind, number>>;
  /** Until the first time that the shop has to respond to a bank, in seconds; null: never. */
  readonly respondWithinSeconds: number | null;
}

/** The open cases, for the metrics. */
export async function countOpenCases(db: Database): Promise<OpenCases> {
  const rows = await db.$queryRaw<{ kind: CaseKind; cases: number; seconds: number | null }[]>`
    SELECT kind, count(*)::int AS cases, extract(epoch FROM min(respond_by)
      FILTER (WHERE status = ANY (${[...RESPONSE_STATUSES]}::text[])) - now())::float8 AS seconds
    FROM payment_cases WHERE is_open GROUP BY kind`;
  const byKind = { dispute: 0, fraud_warning: 0, review: 0 };
  for (const { kind, cases } of rows) byKind[kind] = cases;
  const dispute = rows.find(({ kind }) => kind === 'dispute');
  return { byKind, respondWithinSeconds: dispute?.seconds ?? null };
}

function toCase(row: Prisma.PaymentCaseGetPayload<object>): PaymentCase {
  return {
    id: row.id,
    orderId: uncheckedColumn<OrderId>(row.orderId),
    kind: row.kind,
    status: row.status,
    amountMinor: row.amountMinor,
    currency: row.currency,
    reason: row.reason,
    isOpen: row.isOpen,
    respondBy: row.respondBy?.toISOString() ?? null,
    openedAt: row.openedAt.toISOString(),
    closedAt: row.closedAt?.toISOString() ?? null,
  };
}
