/** Reports: what each type counts and which columns it has. */

/** The columns of each type, in the order of the file. */
export const REPORT_COLUMNS = {
  sales_by_day: ['day', 'sku', 'name', 'currency', 'orders', 'units', 'revenue_minor'],
  stock_movements: ['id', 'at', 'sku', 'delta', 'kind', 'reason', 'order_id', 'actor'],
  refunds: [
    'id',
    'order_id',
    'requested_at',
    'settled_at',
    'cause',
    'status',
    'amount_minor',
    'currency',
    'failure_code',
  ],
  reconciliation: [
    'id',
    'kind',
    'subject',
    'order_id',
    'ours',
    'theirs',
    'first_seen_at',
    'last_seen_at',
    'resolved_at',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ReportType = keyof typeof REPORT_COLUMNS;

export const REPORT_TYPES = [
  'sales_by_day',
  'stock_movements',
  'refunds',
  'reconciliation',
] as const satisfies readonly ReportType[];

export function isReportType(type: string): type is ReportType {
  return Object.hasOwn(REPORT_COLUMNS, type);
}

/** A window ends at least so long ago: whatever was begun in it is committed or rolled back by then. */
export const REPORT_SETTLED_MS = 60_000;
export const MAX_REPORT_DAYS = 366;
/** Rows that a report reads. More are better read by the database's own tools. */
export const MAX_REPORT_ROWS = 1_000_000;
