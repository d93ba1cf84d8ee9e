-- One transaction of orders, `seed.first` to `seed.last` of `seed.orders`, with every row that the shop
-- would have written for them. They are spread evenly over `seed.span_ms` before `seed.end_ms`. The last
-- 60 of all are unfinished, whatever the number of the others.
SET jit = off;

-- What became of an order, and the rows that say so.
CREATE TEMP TABLE kinds ON COMMIT DROP AS
SELECT * FROM (VALUES
  ('shipped', 'shipped', 'captured', 'shipped', 'shipped', NULL),
  ('refunded_partly', 'shipped', 'partially_refunded', 'shipped', 'shipped', NULL),
  ('refunded', 'shipped', 'refunded', 'shipped', 'shipped', NULL),
  ('refund_failed', 'shipped', 'captured', 'shipped', 'shipped', NULL),
  ('cancelled', 'cancelled', 'voided', 'released', NULL, 'requested_by_customer'),
  ('cancelled_paid', 'cancelled', 'refunded', 'released', 'refused', 'shipping_refused'),
  ('declined', 'declined', 'declined', 'released', NULL, NULL),
  ('expired', 'expired', 'declined', 'released', NULL, NULL),
  ('placed', 'placed', 'authorized', 'held', NULL, NULL),
  ('reserved', 'reserved', 'authorized', 'reserved', NULL, NULL),
  ('paid', 'paid', 'captured', 'reserved', NULL, NULL),
  ('needs_attention', 'needs_attention', 'authorized', 'reserved', NULL, NULL)
) AS kind (kind, status, payment, reservation, shipment, reason);

CREATE TEMP TABLE steps ON COMMIT DROP AS
WITH path (kind, entries) AS (VALUES
  ('shipped', 'created placed reserved customer_notified/confirmed paid shipment_requested shipped customer_notified/shipped'),
  ('refunded', 'created placed reserved customer_notified/confirmed paid shipment_requested shipped customer_notified/shipped refund.requested refund.succeeded customer_notified/refunded'),
  ('refund_failed', 'created placed reserved customer_notified/confirmed paid shipment_requested shipped customer_notified/shipped refund.requested refund.failed'),
  ('cancelled', 'created placed reserved customer_notified/confirmed cancelling stock_released payment_voided cancelled customer_notified/cancelled'),
  ('cancelled_paid', 'created placed reserved customer_notified/confirmed paid shipment_requested cancelling stock_released payment_refunded cancelled customer_notified/cancelled'),
  ('declined', 'created declined'),
  ('expired', 'created expired'),
  ('placed', 'created placed'),
  ('reserved', 'created placed reserved customer_notified/confirmed'),
  ('paid', 'created placed reserved customer_notified/confirmed paid'),
  ('needs_attention', 'created placed reserved customer_notified/confirmed needs_attention'))
SELECT kind, seq::int, split_part(entry, '/', 2) AS notification, seq * interval '150 ms' AS after,
  CASE WHEN entry LIKE 'refund.%' THEN entry ELSE 'order.' || split_part(entry, '/', 1) END AS type
FROM (SELECT * FROM path UNION ALL SELECT 'refunded_partly', entries FROM path WHERE kind = 'refunded') path
CROSS JOIN LATERAL string_to_table(entries, ' ') WITH ORDINALITY AS step (entry, seq);

CREATE TEMP TABLE lines ON COMMIT DROP AS
SELECT n, position, 'item-' || lpad(item::text, 3, '0') AS sku, 'Item ' || item AS name,
  1 + (n + position) % 3 AS quantity, 500 + item * 25 AS price
FROM generate_series(current_setting('seed.first')::bigint, current_setting('seed.last')::bigint) AS n
CROSS JOIN LATERAL generate_series(0, CASE WHEN n % 10 < 6 THEN 0 WHEN n % 10 < 9 THEN 1 ELSE 2 END) AS position
CROSS JOIN LATERAL (SELECT (n * 7 + position * 31) % 200 AS item) AS sold;

-- The lowest bits of a number in Crockford's alphabet, five a character.
CREATE FUNCTION pg_temp.crockford(number bigint, characters int) RETURNS text LANGUAGE sql IMMUTABLE RETURN (
  SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((number >> (5 * at)) & 31)::int + 1, 1), ''
    ORDER BY at DESC)
  FROM generate_series(0, characters - 1) AS at);

-- An id as the shop writes them: 48 bits of the time, then others. Its end, the order number, is unique: an
-- odd factor maps each n to another one.
CREATE FUNCTION pg_temp.key_at(ms bigint, n bigint) RETURNS text LANGUAGE sql IMMUTABLE RETURN
  pg_temp.crockford(ms, 10) || 'e' || left(md5('order' || n), 6) || pg_temp.crockford(n * 20260131179, 9);

CREATE TEMP TABLE seeded ON COMMIT DROP AS
SELECT n, key, 'ord_' || key AS id, 'rfd_' || key AS refund_id, 'pi_' || key AS reference,
  to_timestamp(ms / 1000.0) AS at, kind, k.status::order_status AS status, k.payment, k.reservation,
  k.shipment, k.reason::cancel_reason AS reason, total, events, customer,
  CASE kind WHEN 'refunded_partly' THEN total / 2 ELSE total END AS refund,
  kind NOT IN ('declined', 'expired') AS was_placed,
  k.payment IN ('captured', 'partially_refunded', 'refunded') AS was_captured,
  md5('request' || n)::uuid::text AS correlation,
  CASE k.shipment WHEN 'shipped' THEN 'TRK' || upper(left(md5('parcel' || n), 12)) END AS tracking
FROM (
  SELECT n, age, (n - 1) % (orders / 4) AS customer,
    current_setting('seed.end_ms')::bigint - CASE WHEN age < 60 THEN age * 10
      ELSE 1000 + age * current_setting('seed.span_ms')::bigint / orders END AS ms,
    CASE WHEN age < 60 THEN (ARRAY['placed', 'reserved', 'paid', 'needs_attention'])[(age % 4 + 1)::int]
      WHEN n % 100 < 1 THEN 'refunded_partly' WHEN n % 100 < 2 THEN 'refunded'
      WHEN n % 100 < 3 THEN 'refund_failed' WHEN n % 100 < 89 THEN 'shipped'
      WHEN n % 100 < 92 THEN 'cancelled' WHEN n % 100 < 94 THEN 'cancelled_paid'
      WHEN n % 100 < 98 THEN 'declined' ELSE 'expired' END AS kind
  FROM (SELECT current_setting('seed.orders')::bigint AS orders) AS given,
    generate_series(current_setting('seed.first')::bigint, current_setting('seed.last')::bigint) AS n,
    LATERAL (SELECT orders - n AS age) AS counted
) AS numbered
JOIN kinds k USING (kind)
JOIN (SELECT kind, count(*)::int AS events FROM steps GROUP BY kind) AS counted USING (kind)
JOIN (SELECT n, sum(quantity * price)::int AS total FROM lines GROUP BY n) AS priced USING (n)
CROSS JOIN LATERAL (SELECT pg_temp.key_at(ms, n) AS key) AS named;

ANALYZE seeded; ANALYZE lines; ANALYZE steps;

INSERT INTO orders (id, status, version, currency, total_minor, customer_id, customer_email, customer_name,
  shipping_address, correlation_id, cancel_reason, attention_step, deadline_at, placed_at,
  workflow_started_at, created_at, updated_at)
SELECT id, status, events, 'EUR', total, 'cus_0' || left(md5('customer' || customer), 25),
  format('customer-%s@example.com', customer), 'Customer ' || customer,
  '{"line1": "1 Main Street", "city": "Springfield", "region": "IL", "country": "US", "postalCode": "62701"}'::jsonb,
  correlation, reason, CASE kind WHEN 'needs_attention' THEN 'capturePayment' END,
  at + interval '2 minutes', CASE WHEN was_placed THEN at + interval '300 ms' END,
  CASE WHEN was_placed THEN at + interval '310 ms' END, at, at + events * interval '150 ms'
FROM seeded ORDER BY n;

INSERT INTO order_terms (order_id, term)
SELECT id, term FROM seeded CROSS JOIN LATERAL (VALUES
  (format('customer-%s@example.com', customer), true),
  ('customer ' || customer, true),
  (customer::text, true),
  (lower(tracking), tracking IS NOT NULL)
) AS made (term, is_made) WHERE is_made ORDER BY n;

INSERT INTO order_lines (order_id, sku, position, name, quantity, unit_price_minor)
SELECT id, sku, position, name, quantity, price FROM seeded JOIN lines USING (n) ORDER BY n, position;

INSERT INTO reservations (order_id, sku, quantity, status, updated_at)
SELECT id, sku, quantity, reservation::reservation_status, at + events * interval '150 ms'
FROM seeded JOIN lines USING (n) ORDER BY n, position;

INSERT INTO stock_movements (sku, delta, kind, reason, order_id, actor, created_at)
SELECT sku, -quantity, 'shipped', 'order shipped', id, 'checkout', at + interval '1 s'
FROM seeded JOIN lines USING (n) WHERE status = 'shipped' ORDER BY n, position;

INSERT INTO payments (id, order_id, status, amount_minor, captured_minor, refunded_minor, currency,
  payment_method, provider_reference, decline_code, capture_before, created_at, updated_at)
SELECT 'pay_' || key, id, payment::payment_status, total, CASE WHEN was_captured THEN total ELSE 0 END,
  CASE WHEN payment IN ('partially_refunded', 'refunded') THEN refund ELSE 0 END, 'EUR', 'pm_card_visa',
  CASE WHEN was_placed THEN reference END,
  CASE kind WHEN 'declined' THEN 'card_declined' WHEN 'expired' THEN 'expired' END,
  CASE WHEN was_placed THEN at + interval '7 days' END, at, at + events * interval '150 ms'
FROM seeded ORDER BY n;

INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency, provider_reference,
  detail, created_at)
SELECT id, id || '/' || operation || CASE WHEN operation = 'refund' AND reason IS NULL
    THEN '/' || refund_id ELSE '' END,
  operation::payment_operation_kind, state::payment_operation_state,
  CASE operation WHEN 'refund' THEN refund ELSE total END, 'EUR',
  CASE WHEN was_placed AND (operation, state) <> ('authorize', 'requested') THEN reference END,
  CASE WHEN state = 'refused' THEN COALESCE(NULLIF(kind, 'declined'), 'card_declined') END,
  at + nr * interval '100 ms'
FROM seeded CROSS JOIN LATERAL (VALUES
  (1, 'authorize', 'requested', true),
  (2, 'authorize', CASE WHEN was_placed THEN 'succeeded' ELSE 'refused' END, true),
  (3, 'capture', 'requested', was_captured OR kind = 'needs_attention'),
  (4, 'capture', 'succeeded', was_captured),
  (5, 'void', 'requested', kind = 'cancelled'),
  (6, 'void', 'succeeded', kind = 'cancelled'),
  (7, 'refund', 'requested', kind LIKE 'refund%' OR kind = 'cancelled_paid'),
  (8, 'refund', 'succeeded', payment IN ('partially_refunded', 'refunded')),
  (9, 'refund', 'refused', kind = 'refund_failed')
) AS made (nr, operation, state, is_made) WHERE is_made ORDER BY n, nr;

INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, currency, reason, failure_code,
  provider_reference, workflow_started_at, requested_at, settled_at)
SELECT refund_id, id, id || '/refund' || CASE WHEN reason IS NULL THEN '/' || refund_id ELSE '' END,
  (CASE WHEN reason IS NULL THEN 'requested' ELSE 'order_cancelled' END)::refund_cause,
  (CASE kind WHEN 'refund_failed' THEN 'failed' ELSE 'succeeded' END)::refund_status, refund, 'EUR',
  CASE WHEN reason IS NULL THEN 'arrived broken' END,
  CASE kind WHEN 'refund_failed' THEN 'charge_disputed' END, 're_' || key,
  CASE WHEN reason IS NULL THEN at + interval '1400 ms' END, at + interval '1350 ms', at + interval '1500 ms'
FROM seeded WHERE kind LIKE 'refund%' OR kind = 'cancelled_paid' ORDER BY n;

INSERT INTO shipments (id, order_id, correlation_id, status, carrier, tracking_number, requested_at, answered_at)
SELECT 'shp_' || key, id, id || '.ship', shipment::shipment_status,
  CASE shipment WHEN 'shipped' THEN 'ACME' END,
  tracking,
  at + interval '900 ms', at + interval '1050 ms'
FROM seeded WHERE shipment IS NOT NULL ORDER BY n;

INSERT INTO idempotency_keys (api_key_id, scope, key, fingerprint, order_id, state, lease_until, status,
  body, created_at)
SELECT 'key_local_storefront', 'POST /v1/orders', md5('key' || n) || md5('of' || n),
  md5('body' || n) || md5('is' || n), id,
  (CASE kind WHEN 'expired' THEN 'running' ELSE 'done' END)::idempotency_state, at + interval '8 s',
  CASE kind WHEN 'declined' THEN 402 WHEN 'expired' THEN NULL ELSE 201 END,
  CASE WHEN kind <> 'expired' THEN json_build_object('id', id, 'object', 'order', 'status', 'placed',
    'version', 2, 'currency', 'EUR', 'total_minor', total, 'lines', json_build_array(json_build_object(
      'sku', 'item-000', 'name', 'Item 0', 'quantity', 1, 'unit_price_minor', total)),
    'customer', json_build_object('email', format('customer-%s@example.com', customer), 'name',
      'Customer ' || customer, 'phone', NULL),
    'shipping_address', json_build_object('line1', '1 Main Street', 'city', 'Springfield', 'region', 'IL',
      'postal_code', '62701', 'country', 'US'),
    'cancel_reason', NULL, 'attention_step', NULL, 'created_at', at, 'updated_at', at,
    'payment', json_build_object('status', 'authorized', 'amount_minor', total, 'captured_minor', 0,
      'refunded_minor', 0, 'currency', 'EUR', 'decline_code', NULL))::text END, at
FROM seeded ORDER BY n;

INSERT INTO inbox (source, id, type, order_id, payload, received_at, processed_at, outcome)
SELECT source::inbox_source, 'evt_' || key || nr, type, id,
  CASE source WHEN 'payments' THEN jsonb_build_object('reference', reference)
    ELSE jsonb_build_object('correlationId', id || '.ship', 'answer', CASE shipment
      WHEN 'shipped' THEN jsonb_build_object('kind', 'shipped', 'carrier', 'ACME',
        'trackingNumber', tracking)
      ELSE jsonb_build_object('kind', 'refused', 'reason', 'damaged') END) END,
  at + nr * interval '200 ms', at + nr * interval '200 ms' + interval '20 ms',
  CASE source WHEN 'payments' THEN 'confirmed' ELSE 'delivered' END
FROM seeded CROSS JOIN LATERAL (VALUES
  (1, 'payments', 'payment_intent.amount_capturable_updated', was_placed),
  (2, 'payments', 'payment_intent.payment_failed', kind = 'declined'),
  (3, 'payments', 'payment_intent.succeeded', was_captured),
  (4, 'warehouse', 'shipment.' || shipment, shipment IS NOT NULL),
  (5, 'payments', 'payment_intent.canceled', kind = 'cancelled'),
  (6, 'payments', 'charge.refunded', payment IN ('partially_refunded', 'refunded'))
) AS made (nr, source, type, is_made) WHERE is_made ORDER BY n, nr;

-- Attempts that failed before the one that succeeded, and those of the steps that wait for a person.
INSERT INTO step_attempts (order_id, step, attempts, first_failed_at, last_failed_at, last_failure)
SELECT id, 'capturePayment', 1 + n % 3, at + interval '600 ms', at + interval '650 ms', 'payments: unavailable'
FROM seeded WHERE kind = 'needs_attention' OR (was_captured AND n % 20 = 4) ORDER BY n;

-- Closed ones, those of the orders that wait, and a few other open ones, whatever the number of orders.
INSERT INTO dead_letters (id, source, subject, order_id, message, error, fingerprint, retry_count,
  first_failed_at, last_failed_at, status, decided_at, created_at)
SELECT 'dl_' || key, source::dead_letter_source, subject, id, jsonb_build_object('workflow_id', 'checkout/' || id),
  error, format('%s: %s', subject, error), 3, at + interval '1 s', at + interval '2 s',
  status::dead_letter_status, CASE status WHEN 'resolved' THEN at + interval '1 hour' END, at + interval '2 s'
FROM (
  SELECT n, id, key, at, 'notification' AS source, 'shipped' AS subject, 'mail: unavailable' AS error,
    CASE WHEN n <= 7 THEN 'open' ELSE 'resolved' END AS status
  FROM seeded WHERE kind = 'shipped' AND (n <= 7 OR n % 25 = 5)
  UNION ALL
  SELECT n, id, key, at, 'checkout', 'capturePayment', 'payments: unavailable', 'open'
  FROM seeded WHERE kind = 'needs_attention'
) AS failed ORDER BY n;

WITH written AS (
  INSERT INTO events (id, type, order_id, seq, dedup_key, correlation_id, causation_id, data, time)
  SELECT uuidv7(at + after - now()), type, id, seq,
    CASE WHEN type = 'order.needs_attention' THEN NULL WHEN type LIKE 'refund.%' THEN type || '/' || refund_id
      WHEN notification <> '' THEN type || '/' || notification_name ELSE type END,
    correlation, NULL,
    CASE WHEN notification <> '' THEN jsonb_build_object('notification', notification_name)
      WHEN type LIKE 'refund.%' THEN
        jsonb_build_object('refund_id', refund_id, 'amount_minor', refund, 'currency', 'EUR')
      WHEN type = 'order.placed' THEN jsonb_build_object('total_minor', total, 'currency', 'EUR')
      WHEN type IN ('order.paid', 'order.payment_voided', 'order.payment_refunded') THEN
        jsonb_build_object('amount_minor', total, 'currency', 'EUR')
      WHEN type = 'order.shipment_requested' THEN jsonb_build_object('shipment_correlation_id', id || '.ship')
      WHEN type = 'order.shipped' THEN jsonb_build_object('carrier', 'ACME', 'tracking_number',
        tracking)
      WHEN type = 'order.declined' THEN '{"decline_code": "card_declined"}'
      WHEN type IN ('order.cancelling', 'order.cancelled') THEN jsonb_build_object('reason', reason)
      WHEN type = 'order.needs_attention' THEN '{"steps": ["capturePayment"]}'
      ELSE '{}' END,
    at + after
  FROM seeded JOIN steps USING (kind) CROSS JOIN LATERAL (SELECT CASE notification
    WHEN 'refunded' THEN 'refunded/' || refund_id ELSE notification END AS notification_name) AS notified
  ORDER BY at + after, n, seq
  RETURNING position, id, type, order_id, data, time),
consumed AS (
  INSERT INTO consumed_events (consumer, event_id, consumed_at)
  SELECT consumer, id, time + interval '1 s' FROM written JOIN (VALUES
    ('analytics', 'order.placed'), ('analytics', 'order.declined'), ('analytics', 'order.cancelled'),
    ('analytics', 'order.shipped'), ('analytics', 'refund.succeeded'), ('analytics', 'order.payment_refunded'),
    ('warehouse-feed', 'order.placed'), ('warehouse-feed', 'order.shipped'), ('warehouse-feed', 'order.cancelled')
  ) AS consumes (consumer, type) USING (type) ORDER BY consumer, id),
fed AS (
  INSERT INTO warehouse_feed_batches (first_event_id, events, lines, created_at)
  SELECT id, 25, '[{"sku": "item-000", "ordered": 25, "shipped": 25, "cancelled": 0}]'::jsonb, time + interval '30 s'
  FROM (
    SELECT id, time, position, row_number() OVER (ORDER BY position) AS nr FROM written
    WHERE type IN ('order.placed', 'order.shipped', 'order.cancelled')) AS numbered
  WHERE nr % 25 = 1 ORDER BY position)
INSERT INTO audit_log (event_id, actor, action, subject, data, at)
SELECT id, CASE WHEN type IN ('order.created', 'order.placed') THEN 'customer' ELSE 'system' END, type,
  order_id, data - 'carrier' - 'tracking_number' - 'shipment_correlation_id', time
FROM written ORDER BY position;

-- Last, because two transactions add to the same hours.
INSERT INTO analytics_hourly AS total (hour, sku, currency, orders, units, revenue_minor, declines, compensations)
SELECT date_trunc('hour', at + after, 'UTC'), sku, 'EUR', count(*) FILTER (WHERE type = 'order.placed'),
  COALESCE(sum(quantity) FILTER (WHERE type = 'order.placed'), 0),
  COALESCE(sum(quantity * price) FILTER (WHERE type = 'order.placed'), 0),
  count(*) FILTER (WHERE type = 'order.declined'), count(*) FILTER (WHERE type = 'order.cancelled')
FROM seeded JOIN steps USING (kind) JOIN lines USING (n)
WHERE type IN ('order.placed', 'order.declined', 'order.cancelled')
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (hour, sku, currency) DO UPDATE SET orders = total.orders + EXCLUDED.orders,
  units = total.units + EXCLUDED.units, revenue_minor = total.revenue_minor + EXCLUDED.revenue_minor,
  declines = total.declines + EXCLUDED.declines, compensations = total.compensations + EXCLUDED.compensations;

INSERT INTO sales_hourly AS total (hour, currency, orders, declined, cancelled, shipped, revenue_minor, refunded_minor)
SELECT date_trunc('hour', at + after, 'UTC'), 'EUR', count(*) FILTER (WHERE type = 'order.placed'),
  count(*) FILTER (WHERE type = 'order.declined'), count(*) FILTER (WHERE type = 'order.cancelled'),
  count(*) FILTER (WHERE type = 'order.shipped'),
  COALESCE(sum(seeded.total) FILTER (WHERE type = 'order.placed'), 0),
  COALESCE(sum(refund) FILTER (WHERE type IN ('refund.succeeded', 'order.payment_refunded')), 0)
FROM seeded JOIN steps USING (kind)
WHERE type IN ('order.placed', 'order.declined', 'order.cancelled', 'order.shipped', 'refund.succeeded',
  'order.payment_refunded')
GROUP BY 1 ORDER BY 1
ON CONFLICT (hour, currency) DO UPDATE SET orders = total.orders + EXCLUDED.orders,
  declined = total.declined + EXCLUDED.declined, cancelled = total.cancelled + EXCLUDED.cancelled,
  shipped = total.shipped + EXCLUDED.shipped, revenue_minor = total.revenue_minor + EXCLUDED.revenue_minor,
  refunded_minor = total.refunded_minor + EXCLUDED.refunded_minor;

DROP FUNCTION pg_temp.key_at;
DROP FUNCTION pg_temp.crockford;
