/** Discrepancies: a row each, open from the run that first finds it to the run that no longer does. */
import { isOrderId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Discrepancy, DiscrepancyKind } from '../../domain/reconciliation.ts';
import { transitionOrder, orderTransaction } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import { newId } from '../client/ids.ts';
import { readSnapshot, uncheckedColumn } from '../client/columns.ts';

export interface FoundDiscrepancy extends Omit<Discrepancy, 'subject'> {
  readonly id: string;
  readonly subject: string;
  readonly orderId: OrderId | null;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  readonly resolvedAt: string | null;
}

/** Discrepancies that a run found or resolved, the open ones first, at most `limit`. */
export async function listDiscrepanciesOf(
  db: Transaction,
  runId: string,
  limit: number,
): Promise<readonly FoundDiscrepancy[]> {
  const rows = await db.discrepancy.findMany({
    where: { OR: [{ firstRunId: runId }, { lastRunId: runId }, { resolvedRunId: runId }] },
    orderBy: [{ resolvedAt: { sort: 'asc', nulls: 'first' } }, { id: 'asc' }],
    take: limit,
  });
  return rows.map(toDiscrepancy);
}

/** Open discrepancies that the run has not found: one page after the discrepancy `after`, oldest first. */
export async function listUnseen(
  db: Database,
  runId: string,
  page: { readonly limit: number; readonly after: string | null },
): Promise<readonly FoundDiscrepancy[]> {
  const { limit, after } = page;
  const rows = await db.discrepancy.findMany({
    where: {
      resolvedAt: null,
      lastRunId: { not: runId },
      ...(after !== null && { id: { gt: after } }),
    },
    orderBy: { id: 'asc' },
    take: limit,
  });
  return rows.map(toDiscrepancy);
}

/** How many are open, by kind. */
export async function countOpenDiscrepancies(
  db: Database,
): Promise<readonly { readonly kind: DiscrepancyKind; readonly count: number }[]> {
  const rows = await db.discrepancy.groupBy({
    by: ['kind'],
    where: { resolvedAt: null },
    _count: { _all: true },
  });
  return rows.map(({ kind, _count }) => ({ kind, count: _count._all }));
}

/**
 * Records that the run found the discrepancy. A new one is also an event of its order, if it has one.
 */
export async function recordDiscrepancy(
  db: Database,
  runId: string,
  found: Discrepancy & { readonly orderId: string | null },
): Promise<'new' | 'known'> {
  const orderId = found.orderId !== null && isOrderId(found.orderId) ? found.orderId : null;
  const known = orderId !== null && (await db.order.count({ where: { id: orderId } })) === 1;
  if (!known) return db.$transaction((tx) => recordSeen(tx, runId, { ...found, orderId: null }));
  return orderTransaction(db, orderId, async (tx) => {
    const seen = await recordSeen(tx, runId, { ...found, orderId });
    if (seen === 'new') await publish(tx, orderId, { type: 'order.discrepancy_found', ...found });
    return seen;
  });
}

/** The run found both sides in agreement. Raw for the database's clock. */
export async function resolveDiscrepancy(
  db: Database,
  runId: string,
  { id, kind, subject, orderId }: FoundDiscrepancy,
): Promise<void> {
  const resolve = async (tx: Transaction): Promise<number> =>
    tx.$executeRaw`
      UPDATE reconciliation_discrepancies SET resolved_at = now(), resolved_run_id = ${runId}
      WHERE id = ${id} AND resolved_at IS NULL`;
  if (orderId === null) return void (await db.$transaction(resolve));
  await orderTransaction(db, orderId, async (tx) => {
    if ((await resolve(tx)) === 0) return;
    await publish(tx, orderId, { type: 'order.discrepancy_resolved', kind, subject });
  });
}

/** Raw: an upsert by a partial index. */
async function recordSeen(
  tx: Transaction,
  runId: string,
  found: Discrepancy & { readonly orderId: OrderId | null },
): Promise<'new' | 'known'> {
  const rows = await tx.$queryRaw<{ isNew: boolean }[]>`
    INSERT INTO reconciliation_discrepancies
      (id, kind, subject, order_id, ours, theirs, first_run_id, last_run_id)
    VALUES (${newId('discrepancy')}, ${found.kind}, ${found.subject}, ${found.orderId},
      ${JSON.stringify(found.ours)}::jsonb, ${JSON.stringify(found.theirs)}::jsonb,
      ${runId}, ${runId})
    ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO UPDATE SET
      ours = EXCLUDED.ours, theirs = EXCLUDED.theirs, last_run_id = EXCLUDED.last_run_id,
      last_seen_at = now()
    RETURNING xmax = 0 AS "isNew"`;
  return rows[0]?.isNew === true ? 'new' : 'known';
}

async function publish(
  tx: Transaction,
  orderId: OrderId,
  discrepancy: {
    readonly type: 'order.discrepancy_found' | 'order.discrepancy_resolved';
    readonly kind: DiscrepancyKind;
    readonly subject: string;
  },
): Promise<void> {
  const { type, kind, subject } = discrepancy;
  await transitionOrder(tx, { orderId, type, dedupKey: null, data: { kind, subject } });
}

function toDiscrepancy(row: Prisma.DiscrepancyGetPayload<object>): FoundDiscrepancy {
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    orderId: uncheckedColumn<OrderId>(row.orderId),
    ours: readSnapshot(row.ours),
    theirs: readSnapshot(row.theirs),
    firstSeenAt: row.firstSeenAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
    resolvedAt: row.resolvedAt?.toISOString() ?? null,
  };
}
