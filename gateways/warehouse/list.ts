/** The warehouse's records over HTTP, after docs/warehouse-contract.md. */
import { z } from 'zod';
import { isCount } from '../../domain/text.ts';
import { ProviderFault } from '../resilience/faults.ts';
import { answerId, answerLine, answerTime, readBody } from '../resilience/http.ts';
import type { RecordLookup, RecordsPage, WarehouseRecord } from './warehouse.ts';

export interface WarehouseResponse {
  readonly status: number;
  readonly body: unknown;
}

const PAGE_SIZE = '100';

/** Units of products, as the warehouse lists them. */
export const unitsSchema = z
  .array(z.object({ sku: answerLine, quantity: z.number().refine(isCount) }))
  .max(500);

const recordSchema = z.object({
  order_id: answerId,
  reservation: z.enum(['reserved', 'released']).nullable(),
  lines: unitsSchema,
  shipment: z.enum(['requested', 'shipped', 'refused', 'cancelled']).nullable(),
  created_at: answerTime,
});
const pageSchema = z.object({ data: z.array(z.unknown()).max(1_000), has_more: z.boolean() });
const named = z.object({ order_id: answerId });

/** The query of one page. */
export function recordsQuery(window: {
  readonly from: string;
  readonly to: string;
  readonly after: string | null;
}): string {
  const { from, to, after } = window;
  const query = new URLSearchParams({ created_from: from, created_before: to, limit: PAGE_SIZE });
  if (after !== null) query.set('starting_after', after);
  return query.toString();
}

export function readRecords({ status, body }: WarehouseResponse): RecordsPage {
  if (status === 404) return { kind: 'not_offered' };
  if (status !== 200) throw new ProviderFault(`http_${status}`);
  const { data, has_more } = readBody(pageSchema, body);
  const read = data.map((row) => recordSchema.safeParse(row));
  const records = read.flatMap((result) => (result.success ? [toRecord(result.data)] : []));
  const unreadable = data.flatMap((row, at) => {
    if (read[at]?.success) return [];
    const subject = named.safeParse(row).data?.order_id ?? null;
    return [{ subject, orderId: subject }];
  });
  const next = has_more && data.length > 0 ? readBody(named, data.at(-1)).order_id : null;
  return { kind: 'page', records, unreadable, next };
}

export function readRecord({ status, body }: WarehouseResponse): RecordLookup {
  if (status === 404) return { kind: 'absent' };
  if (status !== 200) throw new ProviderFault(`http_${status}`);
  return { kind: 'found', record: toRecord(readBody(recordSchema, body)) };
}

function toRecord(row: z.output<typeof recordSchema>): WarehouseRecord {
  const { order_id: orderId, created_at: createdAt, ...rest } = row;
  return { ...rest, orderId, createdAt };
}
