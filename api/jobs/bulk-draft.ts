/** What a bulk action is for: the items are chosen once, when it is requested, so that it ends. */
import { MAX_BULK_ITEMS, type BulkSelection } from '../../domain/bulk.ts';
import type { Database } from '../../prisma/client/client.ts';
import { selectOpen } from '../../prisma/events/dead-letters.ts';
import type { JobDraft } from '../../prisma/jobs/jobs.ts';
import { selectOrders } from '../../prisma/orders/select-orders.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import type { BulkBody } from '../schemas/bulk.ts';

/** The items that match now. Throws ProblemError when they are too many. */
export async function selectItems(db: Database, body: BulkBody): Promise<BulkSelection> {
  const limit = MAX_BULK_ITEMS + 1;
  const selection =
    body.action === 'redrive'
      ? { ids: await selectOpen(db, body.filter, limit), amounts: [] }
      : await selectOrders(
          db,
          {
            statuses: body.filter.status,
            createdAfter: body.filter.created_after,
            createdBefore: body.filter.created_before,
            sku: body.filter.sku,
          },
          { action: body.action, limit },
        );
  if (selection.ids.length <= MAX_BULK_ITEMS) return selection;
  const detail = `More than ${MAX_BULK_ITEMS} items match. Narrow the filter, e.g. by time.`;
  throw new ProblemError(invalidRequest([{ detail, pointer: jsonPointer(['filter']) }]));
}

/** The job that acts on these items; each piece of its input is what may begin within a second. */
export function bulkDraft(
  body: BulkBody,
  { ids, amounts }: BulkSelection,
  { needsApproval }: { readonly needsApproval: boolean },
): JobDraft {
  const { action: type, filter, note, rate_per_second: rate } = body;
  const sums = amounts.map(({ currency, amountMinor }) => ({
    currency,
    amount_minor: amountMinor,
  }));
  return {
    kind: 'bulk',
    type,
    params: { filter, note, rate_per_second: rate, amounts: sums },
    status: needsApproval ? 'awaiting_approval' : 'queued',
    total: ids.length,
    input: inPieces(ids, rate),
  };
}

/** JSON of at most `size` items each. */
export function inPieces(items: readonly unknown[], size: number): readonly string[] {
  const pieces: string[] = [];
  for (let start = 0; start < items.length; start += size) {
    pieces.push(JSON.stringify(items.slice(start, start + size)));
  }
  return pieces;
}
