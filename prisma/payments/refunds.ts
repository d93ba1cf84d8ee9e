/** Reads of refunds and what belongs to them. request-refund.ts writes them. */
import type { OrderId, RefundId } from '../../domain/ids.ts';
import type { FailedRefundStatus, Refund, RefundStatus } from '../../domain/refund.ts';
import type { Database, Transaction } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import { uncheckedColumn } from '../client/columns.ts';

/** The statuses of a refund whose outcome is not known: its amount is claimed. */
export const OPEN: RefundStatus[] = ['requested', 'pending', 'requires_action', 'needs_attention'];
/** Those of a refund that returned nothing. */
export const FAILED: FailedRefundStatus[] = ['failed', 'canceled'];

/** The refund, or null. */
export async function findRefund(db: Transaction, id: RefundId): Promise<Refund | null> {
  const row = await db.refund.findUnique({ where: { id }, include: WITH_LINES });
  return row && toRefund(row);
}

/** An order has 51 refunds that succeeded or are open, and may have any number that failed. */
const MAX_LISTED = 100;

/** The order's latest refunds, failed ones too, oldest first. */
export async function listRefunds(db: Transaction, orderId: OrderId): Promise<readonly Refund[]> {
  const rows = await db.refund.findMany({
    where: { orderId },
    include: WITH_LINES,
    orderBy: { id: 'desc' },
    take: MAX_LISTED,
  });
  return rows.map(toRefund).toReversed();
}

/** Every refund of the order, oldest first: one page after `startingAfter`. */
export async function pageRefunds(
  db: Database,
  orderId: OrderId,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly refunds: readonly Refund[]; readonly hasMore: boolean }> {
  const { limit, startingAfter } = page;
  const rows = await db.refund.findMany({
    where: { orderId, ...(startingAfter !== undefined && { id: { gt: startingAfter } }) },
    include: WITH_LINES,
    orderBy: { id: 'asc' },
    take: limit + 1,
  });
  return { refunds: rows.slice(0, limit).map(toRefund), hasMore: rows.length > limit };
}

/** How many refunds are open, by status. */
export async function countOpenRefunds(
  db: Database,
): Promise<Readonly<Partial<Record<RefundStatus, number>>>> {
  // The statuses are part of the statement: with parameters PostgreSQL does not use `refunds_open`.
  const rows = await db.$queryRaw<{ status: RefundStatus; refunds: number }[]>`
    SELECT status, count(*)::int AS refunds FROM refunds
    WHERE status IN ('requested', 'pending', 'requires_action', 'needs_attention') GROUP BY status`;
  const counts: Partial<Record<RefundStatus, number>> = {};
  for (const status of OPEN) counts[status] = 0;
  for (const { status, refunds } of rows) counts[status] = refunds;
  return counts;
}

/** The arguments of a refund workflow. Ids and amounts only: no personal data enters Temporal. */
export interface RefundStart {
  readonly refundId: RefundId;
  readonly orderId: OrderId;
  readonly amountMinor: number;
  readonly currency: string;
  readonly correlationId: string;
  /** The order's trace. */
  readonly traceparent: string | null;
  /** The order's, too. */
  readonly inspectable: boolean;
}

/**
 * Those of the given refunds whose workflow is due and not known to have started. The refund of a cancelled
 * order has one from when the provider accepted it without being sure.
 */
export async function findUnstartedRefunds(
  db: Database,
  ids: readonly RefundId[],
): Promise<readonly RefundStart[]> {
  const rows = await db.refund.findMany({
    where: { id: { in: [...ids] }, workflowStartedAt: null, OR: DUE },
    include: WITH_ORDER,
    orderBy: [{ requestedAt: 'asc' }, { id: 'asc' }],
  });
  return rows.map(toStart);
}

/** The arguments for the workflow of an open refund; null when it is settled. */
export async function findRefundStart(db: Database, id: RefundId): Promise<RefundStart | null> {
  const where = { id, status: { in: OPEN } };
  const row = await db.refund.findFirst({ where, include: WITH_ORDER });
  return row && toStart(row);
}

const DUE: Prisma.RefundWhereInput[] = [
  { cause: 'requested', status: 'requested' },
  { cause: 'provider' },
  { acceptedAt: { not: null } },
];
const WITH_ORDER = {
  order: { select: { correlationId: true, traceparent: true, inspectable: true } },
} as const;

/** The arguments for the workflow of any refund. */
export async function requireRefundStart(db: Database, id: RefundId): Promise<RefundStart> {
  return toStart(await db.refund.findUniqueOrThrow({ where: { id }, include: WITH_ORDER }));
}

function toStart(row: Prisma.RefundGetPayload<{ include: typeof WITH_ORDER }>): RefundStart {
  const { amountMinor, currency } = row;
  const refundId = uncheckedColumn<RefundId>(row.id);
  const orderId = uncheckedColumn<OrderId>(row.orderId);
  return { refundId, orderId, amountMinor, currency, ...row.order };
}

/** Records that the refund's workflow was started. Raw for the database's clock. */
export async function markRefundStarted(db: Database, id: RefundId): Promise<void> {
  await db.$executeRaw`
    UPDATE refunds SET workflow_started_at = now()
    WHERE id = ${id} AND workflow_started_at IS NULL`;
}

/** What a whole refund is read with. */
export const WITH_LINES = { lines: { orderBy: { sku: 'asc' } } } as const;

export function toRefund(row: Prisma.RefundGetPayload<{ include: typeof WITH_LINES }>): Refund {
  return {
    id: uncheckedColumn<RefundId>(row.id),
    orderId: uncheckedColumn<OrderId>(row.orderId),
    key: row.key,
    cause: row.cause,
    status: row.status,
    amountMinor: row.amountMinor,
    creditMinor: row.creditMinor,
    currency: row.currency,
    lines: row.lines.map(({ sku, quantity, amountMinor, restock }) => ({
      sku,
      quantity,
      amountMinor,
      restock,
    })),
    reason: row.reason,
    failureCode: row.failureCode,
    providerReference: row.providerReference,
    acceptedAt: row.acceptedAt?.toISOString() ?? null,
    requestedAt: row.requestedAt.toISOString(),
    settledAt: row.settledAt?.toISOString() ?? null,
  };
}
