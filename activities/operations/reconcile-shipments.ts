/** Compares our records of stock and shipments with the warehouse's, in both directions. */
import { Context } from '@temporalio/activity';
import type { OrderId } from '../../domain/ids.ts';
import {
  compareShipment,
  type DiscrepancyKind,
  type TheirShipment,
} from '../../domain/reconciliation.ts';
import type { WarehouseRecord } from '../../gateways/warehouse/warehouse.ts';
import {
  findShipmentRecords,
  listShipmentRecords,
  type ShipmentRecord,
} from '../../prisma/operations/reconciliation-records.ts';
import { recordDiscrepancy } from '../../prisma/operations/discrepancies.ts';
import type { ReconcileSlice } from '../../workflows/activities.ts';
import { eachItem } from '../../telemetry/items.ts';
import { providerFailure } from '../failures.ts';
import { itemLoop } from '../items.ts';
import { SKEW_MS } from './reconcile-payments.ts';
import type { MaintenanceDependencies } from './dependencies.ts';
import { recordEachNotUnderstood, recordNotUnderstood } from './not-understood.ts';

const LOOP = 'reconcile_shipments';
const PAGE = 100;
const LOOK_UP_CONCURRENCY = 5;
/** Ends the comparison with a warehouse that lists its pages in a circle. */
const MAX_PAGES = 5_000;
const UNREADABLE = { provider: 'warehouse', reason: 'record_not_understood' } as const;

/** `orders` is 0 for a warehouse that offers no listing. */
export async function reconcileShipments(
  deps: MaintenanceDependencies,
  slice: ReconcileSlice,
): Promise<{ readonly orders: number; readonly failed: number }> {
  const theirs = await compareTheirs(deps, slice);
  if (theirs === null) return { orders: 0, failed: 0 };
  const { seen } = theirs;
  let { failed } = theirs;
  const loop = itemLoop(LOOP, ({ orderId }: ShipmentRecord) => orderId, LOOK_UP_CONCURRENCY);
  let after: OrderId | null = null;
  for (;;) {
    const window: Parameters<typeof listShipmentRecords>[1] = { ...slice, after, limit: PAGE };
    const page: readonly ShipmentRecord[] = await listShipmentRecords(deps.db, window);
    const unseen = page.filter(({ orderId }) => !seen.has(orderId));
    const notCompared = await eachItem(unseen, loop, ({ orderId }) =>
      compareShipmentNow(deps, slice.id, orderId),
    );
    failed += notCompared.length;
    for (const { orderId } of unseen) seen.add(orderId);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return { orders: seen.size, failed };
    after = last.orderId;
  }
}

/** Compares the current records of one order. Returns the kind of the discrepancy. */
export async function compareShipmentNow(
  { db, warehouse }: MaintenanceDependencies,
  runId: string,
  orderId: string,
): Promise<DiscrepancyKind | 'none' | 'in_flight'> {
  const found = await warehouse.lookUpRecord({ orderId });
  if (found.kind === 'unknown' && found.notUnderstood) {
    await recordNotUnderstood(db, runId, { subject: orderId, orderId, ...UNREADABLE });
    return 'not_understood';
  }
  if (found.kind !== 'found' && found.kind !== 'absent') {
    throw providerFailure('warehouse look-up', found);
  }
  const theirs = found.kind === 'found' ? shipmentSnapshot(found.record) : null;
  const [ours = null] = await findShipmentRecords(db, [orderId]);
  if (ours?.inFlight) return 'in_flight';
  const discrepancy = compareShipment(ours, theirs);
  if (discrepancy === null) return 'none';
  await recordDiscrepancy(db, runId, { ...discrepancy, orderId: ours?.orderId ?? null });
  return discrepancy.kind;
}

/** The orders that the warehouse listed, compared; null when it offers no listing. */
async function compareTheirs(
  { db, warehouse }: MaintenanceDependencies,
  slice: ReconcileSlice,
): Promise<{ readonly seen: Set<string>; readonly failed: number } | null> {
  const seen = new Set<string>();
  let failed = 0;
  let after: string | null = null;
  const from = new Date(Date.parse(slice.from) - SKEW_MS).toISOString();
  const to = new Date(Date.parse(slice.to) + SKEW_MS).toISOString();
  const loop = itemLoop(LOOP, ({ orderId }: WarehouseRecord) => orderId);
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listed = await warehouse.listRecords({ from, to, after });
    if (listed.kind === 'not_offered') return null;
    if (listed.kind !== 'page') throw providerFailure('list the warehouse', listed);
    Context.current().heartbeat();
    const { records, unreadable, next } = listed;
    failed += await recordEachNotUnderstood(db, slice.id, { ...UNREADABLE, records: unreadable });
    for (const { subject } of unreadable) if (subject !== null) seen.add(subject);
    const recorded = await findShipmentRecords(
      db,
      records.map(({ orderId }) => orderId),
    );
    const notCompared = await eachItem(records, loop, async (record) => {
      seen.add(record.orderId);
      const ours = recorded.find(({ orderId }) => orderId === record.orderId) ?? null;
      const discrepancy = compareShipment(ours, shipmentSnapshot(record));
      if (discrepancy === null) return;
      await recordDiscrepancy(db, slice.id, { ...discrepancy, orderId: ours?.orderId ?? null });
    });
    failed += notCompared.length;
    if (next === null) return { seen, failed };
    after = next;
  }
  throw new Error('the warehouse lists more pages than there can be');
}

function shipmentSnapshot({
  orderId,
  reservation,
  lines,
  shipment,
}: WarehouseRecord): TheirShipment {
  const sorted = lines.map(({ sku, quantity }) => `${sku} x ${quantity}`).toSorted();
  return { orderId, reservation, lines: sorted, shipment };
}
