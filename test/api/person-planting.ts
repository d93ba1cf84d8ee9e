/**
 * A person planted into every column that can hold text, and the search for what is left. A new column
 * is planted without a change here; one that cannot hold personal data is named in `IMPERSONAL`.
 */
import pg from 'pg';
import { expect } from 'vitest';

export const PLANTED = 'planted canary';

/** Why a table, or the named columns of one, hold no personal data of a customer. */
const IMPERSONAL: Readonly<Record<string, readonly string[] | 'all'>> = {
  // The catalog, the shop's own people and settings.
  products: 'all',
  stock: 'all',
  api_keys: 'all',
  subscriptions: 'all',
  webhook_endpoints: 'all',
  webhook_wanted_types: 'all',
  // Counts, amounts, ids and SKUs.
  order_lines: 'all',
  quotes: 'all',
  refund_lines: 'all',
  reservations: 'all',
  payment_operations: 'all',
  payment_cases: 'all',
  product_prices: 'all',
  analytics_hourly: 'all',
  sales_hourly: 'all',
  redrives: 'all',
  // Except the address to notify of a report's end: test/api/reports.test.ts.
  jobs: 'all',
  job_chunks: 'all',
  credit_accounts: 'all',
  warehouse_feed_batches: 'all',
  consumed_events: 'all',
  maintenance_runs: 'all',
  reconciliations: 'all',
  reconciliation_discrepancies: 'all',
  // Logs that cannot be erased: ids and codes only. SECURITY.md says so to operators.
  audit_log: 'all',
  stock_movements: 'all',
  _prisma_migrations: 'all',
  // Ids, codes and names of steps; a client's Idempotency-Key is stored as a digest.
  // A check keeps a language to two letters.
  customers: ['id', 'language'],
  orders: [
    'id',
    'currency',
    'customer_id',
    'customer_language',
    'correlation_id',
    'traceparent',
    'attention_step',
  ],
  order_terms: ['order_id'],
  order_adjustments: ['order_id'],
  payments: ['id', 'order_id', 'currency', 'provider_reference', 'decline_code'],
  credit_entries: ['id', 'customer_id', 'currency', 'order_id', 'refund_id', 'key', 'actor'],
  refunds: ['id', 'order_id', 'key', 'currency', 'failure_code', 'provider_reference'],
  shipments: ['id', 'order_id', 'correlation_id', 'carrier'],
  step_attempts: ['order_id', 'step'],
  events: ['type', 'order_id', 'dedup_key', 'correlation_id', 'causation_id', 'traceparent'],
  idempotency_keys: ['api_key_id', 'scope', 'key', 'order_id'],
  inbox: ['id', 'type', 'order_id', 'outcome'],
  // The error is one of activities/failures.ts.
  dead_letters: ['id', 'subject', 'order_id', 'error', 'fingerprint', 'actor'],
  webhook_attempts: ['endpoint_id', 'event_type', 'error'],
};

/** What the customer's own request fills. */
const FILLED = ['customers.email', 'orders.customer_email'];
/** The member of a JSON column that can hold free text. */
const MEMBERS: Readonly<Record<string, string>> = {
  'events.data': 'note',
  'dead_letters.message': 'data',
};

/** Rows that the order has none of yet. */
const ROWS = [
  `INSERT INTO order_adjustments (order_id, position, kind, label, amount_minor)
   VALUES ($1, 0, 'discount', 'l', 0)`,
  `INSERT INTO step_attempts (order_id, step, attempts, last_failure) VALUES ($1, 's', 1, 'f')`,
  `INSERT INTO inbox (source, id, type, order_id, payload, processed_at)
   VALUES ('payments', 'evt_of_order', 't', $1, '{}', now())`,
  `INSERT INTO dead_letters (id, source, subject, order_id, message, error, fingerprint,
     retry_count, first_failed_at, last_failed_at, note)
   VALUES ('dl_of_order', 'notification', 'shipped', $1, '{}', 'e', 'f', 1, now(), now(), 'n')`,
  `WITH endpoint AS (
     INSERT INTO webhook_endpoints (id, url, secret) VALUES ('we_of_order', 'u', 'v1:') RETURNING id)
   INSERT INTO webhook_attempts (endpoint_id, event_id, event_type, outcome, latency_ms)
   SELECT endpoint.id, e.id, e.type, 'delivered', 1 FROM endpoint, events e WHERE e.order_id = $1`,
  `INSERT INTO idempotency_keys (api_key_id, scope, key, fingerprint, state, lease_until, status, body)
   VALUES ('k', 'POST /v1/orders/' || $1 || '/cancel', 'c', 'f', 'done', now(), 202, '{}')`,
  `INSERT INTO idempotency_keys (api_key_id, scope, key, fingerprint, state, lease_until, status, body)
   SELECT 'k', 'POST /v1/customers', 'r', 'f', 'done', now(), 201,
     '{"object":"customer","id":"' || customer_id || '"}' FROM orders WHERE id = $1`,
  `WITH account AS (
     INSERT INTO credit_accounts (customer_id, currency, balance_minor)
     SELECT customer_id, currency, 500 FROM orders WHERE id = $1 RETURNING *)
   INSERT INTO credit_entries (id, customer_id, currency, kind, amount_minor, reason, key, actor)
   SELECT 'cre_of_person', customer_id, currency, 'granted', 500, 'r', 'k', 'a' FROM account`,
  `INSERT INTO idempotency_keys (api_key_id, scope, key, fingerprint, state, lease_until, status, body)
   SELECT 'k', 'POST /v1/customers/' || customer_id || '/credit', 'g', 'f', 'done', now(), 201, '{}'
   FROM orders WHERE id = $1`,
];

/** The rows of the order by table; by `order_id` unless named here. */
const ROWS_OF: Readonly<Record<string, string>> = {
  customers: 'id = (SELECT customer_id FROM orders WHERE id = $1)',
  orders: 'id = $1',
  credit_entries: 'customer_id = (SELECT customer_id FROM orders WHERE id = $1)',
  webhook_attempts: 'event_id IN (SELECT id FROM events WHERE order_id = $1)',
  idempotency_keys: `(order_id = $1 OR scope LIKE '%' || $1 || '%' OR scope LIKE 'POST /v1/customers%')`,
};

/**
 * Writes `planted canary <table>.<column>` into every column that can hold personal data of the order's
 * person, and a message that names the person but no order. Gives what was written.
 */
export async function plantEverywhere(url: string, orderId: string): Promise<readonly string[]> {
  return withClient(url, async (client) => {
    for (const row of ROWS) await client.query(row, [orderId]);
    await client.query(
      `INSERT INTO inbox (source, id, type, payload, body, processed_at)
       SELECT 'payments', 'evt_foreign', 't', '{}',
         convert_to('{"email": "' || upper(email) || '", "text": "${PLANTED}"}', 'UTF8'), now()
       FROM customers WHERE id = (SELECT customer_id FROM orders WHERE id = $1)`,
      [orderId],
    );
    const planted: string[] = [];
    // The event log refuses changes.
    await client.query('SET session_replication_role = replica');
    for (const { table, column, type } of await textColumns(client)) {
      const name = `${table}.${column}`;
      const impersonal = IMPERSONAL[table] ?? [];
      if (impersonal === 'all' || impersonal.includes(column) || FILLED.includes(name)) continue;
      const value = `${PLANTED} ${name}`;
      const member = JSON.stringify({ [MEMBERS[name] ?? 'canary']: value });
      const byType: Readonly<Record<string, string>> = {
        jsonb: `${column} || '${member}'`,
        bytea: `convert_to('${value}', 'UTF8')`,
      };
      const written = byType[type] ?? `concat(${column}, ' ${value}')`;
      const { rowCount } = await client.query(
        `UPDATE ${table} SET ${column} = ${written} WHERE ${ROWS_OF[table] ?? 'order_id = $1'}`,
        [orderId],
      );
      expect(rowCount, `rows of the order in ${table}`).toBeGreaterThan(0);
      planted.push(value);
    }
    return planted;
  });
}

/** The columns, as `<table>.<column>`, in which any of the values is found, whatever its case. */
export async function columnsWith(
  url: string,
  values: readonly string[],
): Promise<readonly string[]> {
  return withClient(url, async (client) => {
    const found: string[] = [];
    for (const { table, column, type } of await textColumns(client)) {
      const text = type === 'bytea' ? `encode(${column}, 'escape')` : `${column}::text`;
      const { rowCount } = await client.query(
        `SELECT FROM ${table}, unnest($1::text[]) AS wanted
         WHERE position(lower(wanted) IN lower(${text})) > 0 LIMIT 1`,
        [values],
      );
      if (rowCount !== 0) found.push(`${table}.${column}`);
    }
    return found;
  });
}

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

async function textColumns(client: pg.Client): Promise<readonly Column[]> {
  const { rows } = await client.query<Column>(`
    SELECT table_name AS table, column_name AS column, data_type AS type
    FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type IN
      ('text', 'character varying', 'character', 'json', 'jsonb', 'xml', 'bytea', 'ARRAY')
    ORDER BY table_name, ordinal_position`);
  return rows;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
