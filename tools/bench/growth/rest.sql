-- After the orders: what sums them up, and what runs beside them.
UPDATE stock SET on_hand = moved.units, held = COALESCE(live.units, 0)
FROM (SELECT sku, sum(delta) AS units FROM stock_movements GROUP BY sku) AS moved
LEFT JOIN (
  SELECT sku, sum(quantity) AS units FROM reservations WHERE status IN ('held', 'reserved') GROUP BY sku
) AS live USING (sku)
WHERE stock.sku = moved.sku;

INSERT INTO webhook_endpoints (id, url, types, secret)
SELECT format('we_0%s', left(md5('endpoint' || n), 25)), format('https://receiver-%s.example.com', n),
  types::text[], 'v1:seed'
FROM (VALUES (1, '{}'), (2, '{order.shipped}'), (3, '{order.needs_attention}')) AS endpoint (n, types);

INSERT INTO webhook_wanted_types (endpoint_id, type)
SELECT id, unnest(types) FROM webhook_endpoints;

INSERT INTO subscriptions (name, types, cursor_xid, cursor_position)
SELECT name, types::text[], pg_current_xact_id(), 0
FROM (VALUES ('analytics', '{order.placed,order.declined,order.cancelled,order.shipped,refund.succeeded,order.payment_refunded}'), ('audit', '{}'),
  ('checkout-starter', '{order.placed}'), ('refund-starter', '{refund.requested}'),
  ('warehouse-feed', '{order.placed,order.shipped,order.cancelled}')) AS built_in (name, types)
UNION ALL SELECT 'webhook/' || id, types, pg_current_xact_id(), 0 FROM webhook_endpoints;

-- An endpoint keeps its last 10,000 attempts.
INSERT INTO webhook_attempts (endpoint_id, event_id, event_type, outcome, status, latency_ms, response, attempted_at)
SELECT w.id, e.id, e.type, 'delivered', 200, 40, 'ok', e.time + interval '1 s'
FROM webhook_endpoints w, (SELECT * FROM events ORDER BY position DESC LIMIT 10000) e
WHERE w.types = '{}' ORDER BY e.position;

INSERT INTO reconciliations (id, scope, status, actor, window_from, window_to, started_at, workflow_started_at, finished_at)
SELECT 'rec_0' || left(md5('run' || n), 25), 'recent', 'completed', 'schedule', at - interval '25 hours', at, at,
  at, at + interval '20 s'
FROM generate_series(1, 24 * 28) AS n, LATERAL (SELECT now() - n * interval '1 hour' AS at) AS started;

INSERT INTO maintenance_runs (name, counts) VALUES ('sweep', '{}'), ('reconcile', '{}');

