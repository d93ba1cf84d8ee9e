-- The invariants of the database, whatever has failed. Each query returns one row (subject, detail) per
-- violation. prisma/operations/invariants.ts reads this file; docs/invariants.md says how to use it.
--
-- `holds: always` is true in every snapshot, also while processes are killed. `holds: settled` is about
-- eventual effects: true once the system has been healthy for `grace`.
--
-- Every query can read `given` (one row: transitions and stage_budgets_ms jsonb, grace and
-- max_transaction interval) and `manual` (order_id, step): the steps that a person recorded as done
-- manually, which our records of the providers do not show. The audit log keeps those decisions after
-- the events are deleted.

-- invariant: stock_bounds
-- title: No SKU has fewer than zero units on hand or held, nor more held than on hand
-- holds: always
SELECT sku AS subject, format('on hand %s, held %s', on_hand, held) AS detail
FROM stock WHERE on_hand < 0 OR held < 0 OR held > on_hand;

-- invariant: stock_conserved
-- title: Units on hand equal the sum of all stock movements
-- holds: always
SELECT sku AS subject,
  format('on hand %s, movements %s', COALESCE(s.on_hand::text, 'unknown'), COALESCE(m.units, 0)) AS detail
FROM stock s FULL JOIN (SELECT sku, sum(delta) AS units FROM stock_movements GROUP BY sku) m USING (sku)
WHERE s.on_hand IS DISTINCT FROM COALESCE(m.units, 0);

-- invariant: holds_counted
-- title: Units held equal the sum of the orders' live reservations
-- holds: always
SELECT sku AS subject,
  format('held %s, reservations %s', COALESCE(s.held::text, 'unknown'), COALESCE(r.units, 0)) AS detail
FROM stock s FULL JOIN (
  SELECT sku, sum(quantity) AS units FROM reservations WHERE status IN ('held', 'reserved') GROUP BY sku
) r USING (sku)
WHERE s.held IS DISTINCT FROM COALESCE(r.units, 0);

-- invariant: never_oversold
-- title: No more units are reserved or shipped than were ever stocked
-- holds: always
SELECT p.sku AS subject, format('reserved %s, stocked %s', p.units, COALESCE(i.units, 0)) AS detail
FROM (
  SELECT sku, sum(quantity) AS units FROM reservations
  WHERE status IN ('held', 'reserved', 'shipped') GROUP BY sku
) p LEFT JOIN (
  SELECT sku, sum(delta) AS units FROM stock_movements WHERE kind <> 'shipped' GROUP BY sku
) i USING (sku)
WHERE p.units > COALESCE(i.units, 0);

-- invariant: returned_units_shipped
-- title: Units come back once per line of a refund that says so, and never more than have left
-- holds: always
SELECT COALESCE(m.refund_id, l.refund_id) || ' ' || sku AS subject,
  format('returned to stock %s, by the refund %s', COALESCE(m.delta, 0), COALESCE(l.quantity, 0)) AS detail
FROM (SELECT refund_id, sku, delta FROM stock_movements WHERE kind = 'returned') m
FULL JOIN (SELECT refund_id, sku, quantity FROM refund_lines WHERE restock) l USING (refund_id, sku)
WHERE m.delta IS DISTINCT FROM l.quantity
UNION ALL
SELECT order_id || ' ' || sku, format('%s more units came back than have left', sum(delta))
FROM stock_movements WHERE kind <> 'adjusted' GROUP BY order_id, sku HAVING sum(delta) > 0;

-- invariant: shipped_units_removed
-- title: Units are removed from stock once per shipped line, and for nothing else
-- holds: always
SELECT order_id || ' ' || sku AS subject,
  format('shipped %s, removed from stock %s', COALESCE(r.quantity, 0), -COALESCE(m.delta, 0)) AS detail
FROM (SELECT order_id, sku, quantity FROM reservations WHERE status = 'shipped') r
FULL JOIN (
  SELECT order_id, sku, sum(delta) AS delta FROM stock_movements WHERE kind = 'shipped' GROUP BY 1, 2
) m USING (order_id, sku)
WHERE r.quantity IS DISTINCT FROM -m.delta;

-- invariant: lines_reserved
-- title: Each order line has one reservation, of what is sent, whose status fits the order's
-- holds: always
-- A line of which the warehouse has nothing was released when the order was reserved.
SELECT order_id || ' ' || sku AS subject,
  format('order %s, ordered %s, to be sent %s, reservation of %s %s', o.status, COALESCE(l.quantity, 0),
    COALESCE(l.reserved_quantity, l.quantity), COALESCE(r.quantity, 0),
    COALESCE(r.status::text, 'missing')) AS detail
FROM order_lines l FULL JOIN reservations r USING (order_id, sku) JOIN orders o ON o.id = order_id
WHERE COALESCE(NULLIF(l.reserved_quantity, 0), l.quantity) IS DISTINCT FROM r.quantity
  OR r.status::text <> ALL (CASE
  WHEN l.reserved_quantity = 0 THEN ARRAY['released']
  WHEN o.status IN ('pending', 'placed') THEN ARRAY['held']
  WHEN o.status IN ('reserved', 'paid') THEN ARRAY['reserved']
  WHEN o.status IN ('shipped', 'delivered') THEN ARRAY['shipped']
  WHEN o.status IN ('declined', 'expired', 'cancelled') THEN ARRAY['released']
  ELSE ARRAY['held', 'reserved', 'released'] END);

-- invariant: order_totals
-- title: The total of an order is the sum of its lines and adjustments
-- holds: always
SELECT o.id AS subject, format('total %s, lines %s, adjustments %s', o.total_minor,
  COALESCE(l.minor::text, 'none'), COALESCE(a.minor, 0)) AS detail
FROM orders o LEFT JOIN (
  SELECT order_id, sum(quantity::bigint * unit_price_minor) AS minor FROM order_lines GROUP BY order_id
) l ON l.order_id = o.id LEFT JOIN (
  SELECT order_id, sum(amount_minor) AS minor FROM order_adjustments GROUP BY order_id
) a ON a.order_id = o.id
WHERE l.minor + COALESCE(a.minor, 0) IS DISTINCT FROM o.total_minor;

-- invariant: partial_orders
-- title: An order of which not all is sent allows that, sends something, and costs at most its total
-- holds: always
SELECT o.id AS subject, format('%s, total %s, due %s; ordered %s, to be sent %s', o.fulfillment,
  o.total_minor, COALESCE(o.due_minor::text, 'all of it'), l.ordered, COALESCE(l.sent::text, 'all of it')) AS detail
FROM orders o JOIN (
  SELECT order_id, sum(quantity) AS ordered, sum(reserved_quantity) AS sent,
    count(*) AS lines, count(reserved_quantity) AS said
  FROM order_lines GROUP BY order_id
) l ON l.order_id = o.id
WHERE (o.due_minor IS NULL AND l.said > 0)
  OR (o.due_minor IS NOT NULL AND (l.said <> l.lines OR l.sent NOT BETWEEN 1 AND l.ordered - 1
    OR o.fulfillment <> 'ship_available' OR o.due_minor NOT BETWEEN 0 AND o.total_minor
    OR o.status IN ('pending', 'declined', 'expired', 'placed')));

-- invariant: quote_totals
-- title: The total of a quote is the sum of its lines and adjustments
-- holds: always
SELECT id AS subject, format('total %s, sum %s', total_minor, sum.minor) AS detail
FROM quotes, LATERAL (
  SELECT sum(minor) AS minor FROM (
    SELECT (line ->> 'quantity')::bigint * (line ->> 'unitPriceMinor')::bigint AS minor
    FROM jsonb_array_elements(lines) AS line
    UNION ALL SELECT (adjustment ->> 'amountMinor')::bigint
    FROM jsonb_array_elements(adjustments) AS adjustment) AS parts) AS sum
WHERE sum.minor IS DISTINCT FROM total_minor;

-- invariant: one_price_per_currency
-- title: No product has two prices in one currency
-- holds: always
SELECT sku || ' ' || currency AS subject,
  format('own price %s, another %s', product.price_minor, price.price_minor) AS detail
FROM product_prices price JOIN products product USING (sku, currency);

-- invariant: money_bounded
-- title: Each order has one payment, with store credit of its total: captured at most the authorized amount, returned at most what was paid
-- holds: always
-- What is not sent reduces the part of store credit first.
SELECT o.id AS subject, CASE WHEN p.id IS NULL THEN 'no payment' ELSE
  format('total %s %s, credit %s, authorized %s %s, credit %s, captured %s, refunded %s, refunding %s, credited %s, crediting %s',
    o.total_minor, o.currency, o.credit_minor, p.amount_minor, p.currency, p.credit_minor, p.captured_minor,
    p.refunded_minor, p.refunding_minor, p.credited_minor, p.crediting_minor) END AS detail
FROM orders o LEFT JOIN payments p ON p.order_id = o.id
WHERE p.id IS NULL OR p.amount_minor <> o.total_minor - o.credit_minor
  OR p.credit_minor
    <> GREATEST(0, o.credit_minor - o.total_minor + COALESCE(o.due_minor, o.total_minor))
  OR o.credit_minor NOT BETWEEN 0 AND o.total_minor OR p.currency <> o.currency
  OR p.captured_minor NOT BETWEEN 0 AND p.amount_minor
  OR p.refunded_minor < 0 OR p.refunding_minor < 0 OR p.credited_minor < 0 OR p.crediting_minor < 0
  OR p.refunded_minor + p.refunding_minor > p.captured_minor
  OR p.refunded_minor + p.refunding_minor + p.credited_minor + p.crediting_minor
    > p.captured_minor + p.credit_minor;

-- invariant: money_matches_status
-- title: A shipped order is captured, or refunded on request; a cancelled order is voided or refunded
-- holds: always
-- Captured is what is paid for what is sent, less what store credit pays.
SELECT o.id AS subject,
  format('order %s, payment %s, captured %s, refunded %s', o.status, p.status, p.captured_minor,
    p.refunded_minor) AS detail
FROM orders o JOIN payments p ON p.order_id = o.id
WHERE (p.status::text <> ALL (CASE
    WHEN o.status = 'pending' THEN ARRAY['authorizing', 'requires_action']
    -- The shopper paid with another card while the payment was being ended.
    WHEN o.status = 'declined' THEN ARRAY['declined', 'voided']
    WHEN o.status = 'expired' THEN ARRAY['declined', 'voided']
    WHEN o.status IN ('placed', 'reserved') THEN ARRAY['authorized']
    WHEN o.status IN ('paid', 'shipped', 'delivered')
      THEN ARRAY['captured', 'partially_refunded', 'refunded']
    WHEN o.status = 'cancelled' THEN ARRAY['voided', 'refunded']
    ELSE ARRAY['authorized', 'captured', 'partially_refunded', 'voided', 'refunded'] END)
  AND NOT EXISTS (
    SELECT FROM manual h WHERE h.order_id = o.id AND CASE
      WHEN o.status IN ('paid', 'shipped', 'delivered')
        THEN h.step = 'capturePayment' AND p.status = 'authorized'
      WHEN o.status = 'cancelled'
        THEN h.step = 'voidOrRefundPayment'
          AND p.status IN ('authorized', 'captured', 'partially_refunded')
      ELSE false END)
  -- The rest of the card's money became store credit.
  AND NOT (o.status = 'cancelled' AND p.status IN ('captured', 'partially_refunded')
    AND p.credited_minor > p.credit_minor
    AND p.refunded_minor + p.credited_minor = p.captured_minor + p.credit_minor)
  -- The provider has accepted to return it: it is not sure yet, or it failed and a person was asked.
  AND NOT (o.status = 'cancelled' AND p.status IN ('captured', 'partially_refunded') AND EXISTS (
    SELECT FROM refunds r WHERE r.order_id = o.id AND r.status NOT IN ('requested', 'succeeded')
      AND r.provider_reference IS NOT NULL))
  -- A bank took it back in a dispute, or gave it back and a person was asked. A decided dead letter is kept
  -- for 30 days (domain/retention.ts).
  AND NOT (o.status = 'cancelled' AND p.status IN ('captured', 'partially_refunded') AND EXISTS (
    SELECT FROM payment_cases c WHERE c.order_id = o.id AND c.kind = 'dispute' AND (c.is_open
      OR p.refunded_minor + p.refunding_minor + p.disputed_minor >= LEAST(p.captured_minor,
        p.captured_minor + p.credit_minor - p.credited_minor - p.crediting_minor)
      OR c.closed_at < now() - interval '30 days'
      OR EXISTS (SELECT FROM dead_letters d
        WHERE d.source = 'refund' AND d.subject = 'dispute' AND d.order_id = o.id)))))
  OR NOT CASE p.status
    WHEN 'captured' THEN p.captured_minor = COALESCE(o.due_minor, o.total_minor) - p.credit_minor
      AND p.refunded_minor = 0
    WHEN 'partially_refunded'
      THEN p.captured_minor = COALESCE(o.due_minor, o.total_minor) - p.credit_minor
      AND p.refunded_minor > 0 AND p.refunded_minor < p.captured_minor
    WHEN 'refunded' THEN p.captured_minor = COALESCE(o.due_minor, o.total_minor) - p.credit_minor
      AND p.refunded_minor = p.captured_minor
    ELSE p.captured_minor = 0 END;

-- invariant: disputes_counted
-- title: What banks have taken back is the sum of the disputes that are open or lost
-- holds: always
SELECT p.order_id AS subject, format('disputed %s, disputes %s', p.disputed_minor, COALESCE(c.minor, 0)) AS detail
FROM payments p LEFT JOIN (
  SELECT c.order_id, sum(CASE WHEN c.currency = q.currency THEN c.amount_minor ELSE q.amount_minor END) AS minor
  FROM payment_cases c JOIN payments q USING (order_id)
  WHERE c.kind = 'dispute' AND c.status IN ('needs_response', 'under_review', 'lost') GROUP BY c.order_id
) c USING (order_id)
WHERE p.disputed_minor <> COALESCE(c.minor, 0);

-- invariant: payment_summary
-- title: Each payment is the summary of its operations
-- holds: always
SELECT p.order_id AS subject,
  format('payment %s, captured %s, refunded %s; operations: authorized %s, captured %s, voided %s, refunded %s',
    p.status, p.captured_minor, p.refunded_minor, o.authorized, o.captured, o.voided, o.refunded) AS detail
FROM payments p LEFT JOIN (
  SELECT order_id,
    COALESCE(sum(amount_minor) FILTER (WHERE kind = 'authorize'), 0) AS authorized,
    COALESCE(sum(amount_minor) FILTER (WHERE kind = 'capture'), 0) AS captured,
    COALESCE(sum(CASE state WHEN 'reversed' THEN -amount_minor ELSE amount_minor END)
      FILTER (WHERE kind = 'refund'), 0) AS refunded,
    COALESCE(sum(amount_minor) FILTER (WHERE kind = 'void'), 0) AS voided
  FROM payment_operations WHERE state IN ('succeeded', 'reversed') GROUP BY order_id
) o USING (order_id)
WHERE p.captured_minor <> COALESCE(o.captured, 0) OR p.refunded_minor <> COALESCE(o.refunded, 0)
  OR COALESCE(o.authorized, 0)
    <> CASE WHEN p.status IN ('authorizing', 'requires_action', 'declined') THEN 0 ELSE p.amount_minor END
  OR COALESCE(o.voided, 0) <> CASE WHEN p.status = 'voided' THEN p.amount_minor ELSE 0 END;

-- invariant: refunds_counted
-- title: Refunded and refunding amounts, to the card and to store credit, equal the sum of the refunds, within what was paid
-- holds: always
SELECT p.order_id AS subject,
  format('captured %s, refunded %s, refunding %s, credited %s, crediting %s; refunds: succeeded %s and %s, open %s and %s',
    p.captured_minor, p.refunded_minor, p.refunding_minor, p.credited_minor, p.crediting_minor,
    COALESCE(r.succeeded, 0), COALESCE(r.credited, 0), COALESCE(r.open, 0), COALESCE(r.crediting, 0)) AS detail
FROM payments p LEFT JOIN (
  SELECT order_id, sum(amount_minor - credit_minor) FILTER (WHERE status = 'succeeded') AS succeeded,
    -- Credit that a refund gave stays, also when its part for the card failed later.
    sum(credit_minor) FILTER (WHERE status = 'succeeded' OR reversed_at IS NOT NULL) AS credited,
    sum(amount_minor - credit_minor) FILTER (WHERE settled_at IS NULL) AS open,
    sum(credit_minor) FILTER (WHERE settled_at IS NULL) AS crediting
  FROM refunds GROUP BY order_id
) r USING (order_id)
WHERE p.refunded_minor <> COALESCE(r.succeeded, 0) OR p.refunding_minor <> COALESCE(r.open, 0)
  OR p.credited_minor <> COALESCE(r.credited, 0) OR p.crediting_minor <> COALESCE(r.crediting, 0)
  OR p.refunded_minor + p.refunding_minor > p.captured_minor
UNION ALL
SELECT r.id, format('%s, its operations: %s', r.status, COALESCE(o.states, 'none'))
FROM refunds r LEFT JOIN (
  SELECT key, string_agg(state::text, ', ' ORDER BY id) AS states FROM payment_operations GROUP BY key
) o USING (key)
-- A refund to store credit alone asks the provider for nothing.
WHERE o.states IS DISTINCT FROM CASE WHEN r.credit_minor = r.amount_minor THEN NULL
  WHEN r.status = 'succeeded' THEN 'requested, succeeded'
  WHEN r.reversed_at IS NOT NULL THEN 'requested, succeeded, reversed'
  WHEN r.status IN ('failed', 'canceled') THEN 'requested, refused' ELSE 'requested' END;

-- invariant: credit_balances
-- title: A customer's balance of store credit is the sum of the ledger, and never negative
-- holds: always
SELECT customer_id || ' ' || currency AS subject,
  format('balance %s, entries %s', COALESCE(a.balance_minor::text, 'unknown'), COALESCE(e.minor, 0)) AS detail
FROM credit_accounts a FULL JOIN (
  SELECT customer_id, currency, sum(amount_minor) AS minor FROM credit_entries GROUP BY 1, 2
) e USING (customer_id, currency)
WHERE a.balance_minor IS DISTINCT FROM COALESCE(e.minor, 0) OR a.balance_minor < 0;

-- invariant: credit_of_orders
-- title: An order spends its store credit once, and gives it back exactly when it ended unpaid or not all of it is sent, except what refunds have made credit
-- holds: always
SELECT o.id AS subject,
  format('order %s of %s, credit %s: spent %s, given back %s, refunded %s as credit, by the payment %s', o.status,
    o.customer_id, o.credit_minor, COALESCE(e.spent, 0), COALESCE(e.given_back, 0), COALESCE(e.refunded, 0),
    p.credited_minor) AS detail
FROM orders o JOIN payments p ON p.order_id = o.id LEFT JOIN (
  SELECT order_id, -sum(amount_minor) FILTER (WHERE kind = 'spent') AS spent,
    sum(amount_minor) FILTER (WHERE kind = 'given_back') AS given_back,
    sum(amount_minor) FILTER (WHERE kind = 'refunded') AS refunded,
    array_agg(DISTINCT customer_id || ' ' || currency) AS accounts
  FROM credit_entries WHERE order_id IS NOT NULL GROUP BY order_id
) e ON e.order_id = o.id
WHERE COALESCE(e.spent, 0) <> o.credit_minor OR COALESCE(e.refunded, 0) <> p.credited_minor
  OR e.accounts <> ARRAY[o.customer_id || ' ' || o.currency]
  OR COALESCE(e.given_back, 0) <> CASE WHEN o.status IN ('declined', 'expired', 'cancelled')
    THEN GREATEST(o.credit_minor - p.credit_minor,
      o.credit_minor - p.credited_minor - p.crediting_minor)
    ELSE o.credit_minor - p.credit_minor END
UNION ALL
SELECT r.id, format('%s, %s of it to credit, in the ledger %s', r.status, r.credit_minor, COALESCE(e.minor, 0))
FROM refunds r FULL JOIN (
  SELECT refund_id, sum(amount_minor) AS minor FROM credit_entries WHERE kind = 'refunded' GROUP BY 1
) e ON e.refund_id = r.id
WHERE COALESCE(e.minor, 0) IS DISTINCT FROM CASE
  WHEN r.status = 'succeeded' OR r.reversed_at IS NOT NULL THEN r.credit_minor ELSE 0 END;

-- invariant: credit_expires
-- title: The sweep settles every grant of store credit that has expired
-- holds: settled
-- 75 s: the sweep runs every minute.
SELECT a.customer_id || ' ' || a.currency AS subject, format('due since %s', a.next_expiry_at) AS detail
FROM credit_accounts a, given WHERE a.next_expiry_at < now() - grace - interval '75 seconds'
UNION ALL
SELECT g.id, format('expires at %s, the account is next looked at %s', g.expires_at,
  COALESCE('at ' || a.next_expiry_at, 'never'))
FROM credit_entries g JOIN credit_accounts a USING (customer_id, currency)
WHERE g.expires_at > now() AND COALESCE(a.next_expiry_at, 'infinity') > g.expires_at;

-- invariant: refund_lines
-- title: A refund by lines is the sum of its lines, and refunds more units of none than were sent
-- holds: always
SELECT r.id AS subject, format('refund %s, lines %s', r.amount_minor, l.minor) AS detail
FROM refunds r JOIN (
  SELECT refund_id, sum(amount_minor) AS minor FROM refund_lines GROUP BY refund_id
) l ON l.refund_id = r.id
WHERE l.minor <> r.amount_minor
UNION ALL
SELECT r.order_id || ' ' || l.sku,
  format('ordered %s, to be sent %s, refunded by lines %s', COALESCE(o.quantity, 0),
    COALESCE(o.reserved_quantity, o.quantity, 0), sum(l.quantity))
FROM refund_lines l JOIN refunds r ON r.id = l.refund_id AND r.status NOT IN ('failed', 'canceled')
LEFT JOIN order_lines o ON o.order_id = r.order_id AND o.sku = l.sku
GROUP BY r.order_id, l.sku, o.quantity, o.reserved_quantity
HAVING sum(l.quantity) > COALESCE(o.reserved_quantity, o.quantity, 0);

-- invariant: refunds_progress
-- title: A refund is started, and settled or waiting for a person within a day, or 30 once the provider accepts it
-- holds: settled
-- The checkout carries out the refund of an order that it is cancelling.
SELECT r.id AS subject, format('%s at %s, started at %s', r.status, r.requested_at,
  COALESCE(r.workflow_started_at::text, 'no known time')) AS detail
FROM refunds r JOIN orders o ON o.id = r.order_id, given
WHERE (r.cause = 'requested' OR r.accepted_at IS NOT NULL OR o.status = 'cancelled') AND (
  (r.status = 'requested' AND r.requested_at < now() - grace
    AND (r.workflow_started_at IS NULL
      OR r.workflow_started_at < now() - grace - interval '25 hours'))
  OR (r.status IN ('pending', 'requires_action') AND r.accepted_at < now() - grace
    AND (r.workflow_started_at IS NULL OR r.accepted_at < now() - grace - interval '31 days'))
  OR (r.status = 'needs_attention' AND NOT EXISTS (
    SELECT FROM dead_letters d WHERE d.source = 'refund' AND d.subject = r.id
      AND d.status IN ('open', 'redriven', 'discarded'))));

-- invariant: intents_first
-- title: Every outcome at the payment provider was recorded as an intent before, under the order's own key
-- holds: always
SELECT o.key AS subject, format('%s %s of %s %s: %s', o.kind, o.state, o.amount_minor, o.currency,
  CASE WHEN r.id IS NULL THEN 'never requested' WHEN r.id > o.id THEN 'requested afterwards'
    ELSE format('requested as %s of %s %s', r.kind, r.amount_minor, r.currency) END) AS detail
FROM payment_operations o
LEFT JOIN payment_operations r ON r.key = o.key AND r.state = 'requested'
WHERE o.state <> 'requested' AND (r.id IS NULL OR r.id > o.id OR (r.order_id, r.kind, r.amount_minor, r.currency)
  IS DISTINCT FROM (o.order_id, o.kind, o.amount_minor, o.currency))
UNION ALL
SELECT key, 'the key does not belong to order ' || order_id FROM payment_operations
WHERE NOT starts_with(key, order_id || '/' || kind)
  -- Made at the provider: its own id is the key.
  AND NOT (kind = 'refund' AND starts_with(key, 'external/'));

-- invariant: effects_once
-- title: Each order is authorized, captured and voided at most once, and has at most one shipment
-- holds: always
SELECT order_id AS subject, format('%s succeeded %s times', kind, count(*)) AS detail
FROM payment_operations WHERE state = 'succeeded' AND kind IN ('authorize', 'capture', 'void')
GROUP BY order_id, kind HAVING count(*) > 1
UNION ALL
SELECT order_id, 'captured and voided'
FROM payment_operations WHERE state = 'succeeded' AND kind IN ('capture', 'void')
GROUP BY order_id HAVING count(DISTINCT kind) > 1
UNION ALL
SELECT order_id, format('%s shipments', count(*)) FROM shipments GROUP BY order_id HAVING count(*) > 1;

-- invariant: shipment_matches_status
-- title: A shipped order has a shipment with a tracking number, a cancelled order has none
-- holds: always
-- A request in flight when the order is cancelled is recorded as refused a moment later.
SELECT o.id AS subject, format('order %s, shipment %s', o.status, COALESCE(s.status::text, 'none')) AS detail
FROM orders o LEFT JOIN shipments s ON s.order_id = o.id
WHERE (COALESCE(s.status::text, 'none') <> ALL (CASE
    WHEN o.status IN ('shipped', 'delivered') THEN ARRAY['shipped']
    WHEN o.status IN ('paid', 'cancelling', 'needs_attention')
      THEN ARRAY['none', 'requested', 'refused', 'cancelled']
    WHEN o.status = 'cancelled' THEN ARRAY['none', 'refused', 'cancelled']
    ELSE ARRAY['none'] END)
  AND NOT (o.status = 'cancelled' AND s.status = 'requested'
    AND o.updated_at > now() - (SELECT grace FROM given))
  AND NOT EXISTS (
    SELECT FROM manual h WHERE h.order_id = o.id AND (
      (h.step = 'shipOrder' AND o.status IN ('shipped', 'delivered'))
      OR (h.step = 'cancelShipment' AND o.status = 'cancelled' AND s.status = 'requested'))))
  OR (s.status = 'shipped' AND s.tracking_number IS NULL);

-- invariant: event_sequence
-- title: An order's events are numbered from one without a gap, and its version is the last number
-- holds: always
-- Events of settled orders are deleted, the oldest first: the first ones may be missing, no others. 30
-- days: the shortest period for which they are kept (domain/retention.ts).
SELECT o.id AS subject, CASE WHEN e.events IS NULL THEN format('version %s, no events', o.version) ELSE
  format('version %s, %s events numbered %s to %s', o.version, e.events, e.first, e.last) END AS detail
FROM orders o LEFT JOIN (
  SELECT order_id, count(*) AS events, min(seq) AS first, max(seq) AS last FROM events GROUP BY order_id
) e ON e.order_id = o.id
WHERE e.last <> o.version OR e.events <> e.last - e.first + 1
  OR (COALESCE(e.first, 0) <> 1 AND (o.created_at > now() - interval '30 days'
    OR o.status IN ('pending', 'placed', 'reserved', 'paid', 'cancelling', 'needs_attention')));

-- invariant: events_once
-- title: An event that an order can have once is recorded once
-- holds: always
SELECT order_id AS subject, format('%s recorded %s times', dedup_key, count(*)) AS detail
FROM events WHERE dedup_key IS NOT NULL GROUP BY order_id, dedup_key HAVING count(*) > 1;

-- invariant: legal_transitions
-- title: Orders change status only along the transition table
-- holds: always
-- The event of a decision does not name the status after it: any status that needs_attention allows.
SELECT order_id AS subject,
  format('event %s: from %s to %s', seq, COALESCE(came_from, 'nothing'), went_to) AS detail
FROM (
  SELECT order_id, seq, went_to, lag(went_to) OVER (PARTITION BY order_id ORDER BY seq) AS came_from
  FROM (
    SELECT order_id, seq, CASE type WHEN 'order.created' THEN 'pending'
      WHEN 'order.attention_resolved' THEN 'resumed' ELSE substr(type, 7) END AS went_to
    FROM events WHERE starts_with(type, 'order.')
  ) status_event
  WHERE went_to = 'resumed' OR (SELECT transitions ? went_to FROM given)
) moved, given
WHERE CASE
  WHEN came_from IS NULL THEN seq = 1 AND went_to <> 'pending'
  WHEN went_to = 'resumed' THEN came_from <> 'needs_attention'
  WHEN came_from = 'resumed' THEN NOT EXISTS (
    SELECT FROM jsonb_array_elements_text(transitions -> 'needs_attention') AS resumed
    WHERE transitions -> resumed ? went_to)
  ELSE NOT transitions -> came_from ? went_to END;

-- invariant: status_matches_events
-- title: The status of an order is that of its last event
-- holds: always
SELECT o.id AS subject, format('order %s, last event %s', o.status, e.went_to) AS detail
FROM orders o JOIN (
  SELECT DISTINCT ON (order_id) order_id, went_to FROM (
    SELECT order_id, seq, CASE type WHEN 'order.created' THEN 'pending'
      WHEN 'order.attention_resolved' THEN 'resumed' ELSE substr(type, 7) END AS went_to
    FROM events WHERE starts_with(type, 'order.')
  ) status_event
  WHERE went_to = 'resumed' OR (SELECT transitions ? went_to FROM given)
  ORDER BY order_id, seq DESC
) e ON e.order_id = o.id, given
WHERE o.status::text <> e.went_to
  AND NOT (e.went_to = 'resumed' AND transitions -> 'needs_attention' ? o.status::text);

-- invariant: responses_stored
-- title: An accepted order has its stored 201 and a declined one its 402 or 422, and each stored response has its order
-- holds: always
-- Keys are kept for at least 30 days (domain/retention.ts). An order about which the provider was not
-- asked gives up its key (prisma/orders/expire-order.ts).
SELECT k.key AS subject, format('key of order %s (%s) is %s, response %s', COALESCE(k.order_id, 'none'),
  COALESCE(o.status::text, 'missing'), k.state, COALESCE(k.status::text, 'none')) AS detail
FROM idempotency_keys k LEFT JOIN orders o ON o.id = k.order_id
WHERE (k.state = 'done') IS DISTINCT FROM (k.status IS NOT NULL AND k.body IS NOT NULL)
  OR (k.order_id IS NULL AND k.state <> 'done')
  OR (k.order_id IS NOT NULL AND (o.id IS NULL OR COALESCE(k.status, 0) <> ALL (CASE
    WHEN o.placed_at IS NOT NULL THEN ARRAY[201] WHEN o.status = 'declined' THEN ARRAY[402, 422]
    ELSE ARRAY[0] END)))
  OR (k.status = 201 AND k.order_id IS NOT NULL AND position(k.order_id IN k.body) = 0)
UNION ALL
SELECT o.id, format('%s keys', count(k.order_id))
FROM orders o LEFT JOIN idempotency_keys k ON k.order_id = o.id
  LEFT JOIN payments p ON p.order_id = o.id
WHERE o.created_at > now() - interval '29 days'
GROUP BY o.id, p.decline_code
HAVING count(k.order_id) <> CASE p.decline_code WHEN 'provider_not_asked' THEN 0 ELSE 1 END;

-- invariant: pending_ends
-- title: A pending order past its deadline is settled
-- holds: settled
-- 75 s: the longest attempt after the deadline, and a run of recovery.
SELECT id AS subject, format('pending, deadline %s', deadline_at) AS detail
FROM orders, given
WHERE status = 'pending' AND deadline_at < now() - grace - interval '75 seconds';

-- invariant: started_in_time
-- title: Every placed order has a started workflow
-- holds: settled
SELECT id AS subject, format('placed at %s, no known workflow', placed_at) AS detail
FROM orders, given
WHERE status = 'placed' AND workflow_started_at IS NULL AND placed_at < now() - grace;

-- invariant: authorizations_settled
-- title: No authorization expires unsettled: it is captured or voided before
-- holds: settled
-- Stripe authorizes a card for 7 days if it reports no expiry.
SELECT o.id AS subject, format('order %s, authorized until %s', o.status,
  COALESCE(p.capture_before, p.created_at + interval '7 days')) AS detail
FROM payments p JOIN orders o ON o.id = p.order_id, given
WHERE p.status = 'authorized' AND p.amount_minor > 0 AND NOT p.captured_manually
  AND o.status NOT IN ('paid', 'shipped', 'delivered', 'cancelled')
  AND COALESCE(p.capture_before, p.created_at + interval '7 days') < now() - grace;

-- invariant: nothing_stuck
-- title: No order is stuck: its step ends within its retry budget, and within minutes when it is no outage that it waits for
-- holds: settled
-- The retry budgets of domain/checkout-steps.ts, and an hour for the last attempt. Whatever fails for
-- another reason than an outage is tried for three minutes, then a person is asked: what still fails
-- after ten was not ended.
SELECT o.id AS subject, format('%s since %s%s', o.status, o.updated_at, (
  SELECT format(', last failed at %s: %s', a.step, a.last_failure) FROM step_attempts a
  WHERE a.order_id = o.id ORDER BY a.last_failed_at DESC LIMIT 1)) AS detail
FROM orders o, given
WHERE o.updated_at < now() - (stage_budgets_ms ->> o.status::text)::float8 * interval '1 ms'
  - interval '1 hour' - grace
UNION ALL
SELECT o.id, format('%s, and %s has failed since %s: %s', o.status, a.step, a.unexpected_since, a.last_failure)
FROM step_attempts a JOIN orders o ON o.id = a.order_id, given
WHERE a.last_failed_at > a.unexpected_since + interval '10 minutes'
  AND a.last_failed_at > now() - grace - interval '15 minutes'
  AND CASE
    WHEN starts_with(a.step, 'refund: ') THEN EXISTS (
      SELECT FROM refunds r WHERE a.step = 'refund: ' || r.id
        AND r.status IN ('requested', 'pending', 'requires_action'))
    WHEN starts_with(a.step, 'notify: ') THEN NOT EXISTS (
      SELECT FROM dead_letters d
      WHERE d.order_id = o.id AND d.source = 'notification' AND a.step = 'notify: ' || d.subject)
    ELSE o.status IN ('placed', 'reserved', 'paid', 'cancelling') END;

-- invariant: attention_has_dead_letter
-- title: An order needs attention exactly while a dead letter requests a decision about its step
-- holds: always
-- A discarded one was decided. While one compensation is retried, the dead letters of the others stay.
SELECT o.id AS subject, format('waits for %s, without a dead letter', step) AS detail
FROM orders o, unnest(string_to_array(o.attention_step, ', ')) AS step
WHERE o.status = 'needs_attention' AND NOT EXISTS (
  SELECT FROM dead_letters d WHERE d.source = 'checkout' AND d.order_id = o.id AND d.subject = step
    AND d.status IN ('open', 'redriven', 'discarded'))
UNION ALL
SELECT o.id, format('%s requests a decision about %s, but the order is %s', d.id, d.subject, o.status)
FROM dead_letters d JOIN orders o ON o.id = d.order_id
WHERE d.source = 'checkout' AND d.status IN ('open', 'redriven')
  AND o.status NOT IN ('needs_attention', 'cancelling');

-- invariant: dead_letters_valid
-- title: A dead letter has an error, an attempt count and a subject that exists; one is live per subject
-- holds: always
SELECT id AS subject, format('%s of %s, %s attempts, %s, error %L', source, subject, retry_count, status,
  left(error, 60)) AS detail
FROM dead_letters
WHERE error = '' OR retry_count < 1 OR first_failed_at > last_failed_at
  OR (status IN ('redriven', 'discarded') AND (actor IS NULL OR decided_at IS NULL))
  OR (source = 'delivery' AND event_id IS NULL)
  OR (source IN ('checkout', 'notification', 'refund') AND order_id IS NULL)
UNION ALL
SELECT min(id), format('%s live dead letters of %s %s', count(*), source, subject)
FROM dead_letters WHERE status IN ('open', 'redriven')
GROUP BY source, subject, order_id, event_id HAVING count(*) > 1
UNION ALL
SELECT id, format('%s of %s, whose endpoint was deleted', status, subject)
FROM dead_letters d
WHERE status IN ('open', 'redriven') AND starts_with(subject, 'webhook/') AND NOT EXISTS (
  SELECT FROM webhook_endpoints w WHERE d.subject = 'webhook/' || w.id);

-- invariant: redrives_end
-- title: A redrive ends: it succeeds, or the dead letter is open again
-- holds: settled
-- 16 minutes: recovery reopens those older than 15.
SELECT id AS subject, format('redriven at %s', decided_at) AS detail
FROM dead_letters, given
WHERE status = 'redriven' AND decided_at < now() - grace - interval '16 minutes';

-- invariant: events_delivered
-- title: Every subscription that is not paused receives its events
-- holds: settled
-- 75 s: the warehouse feed collects for 30 s, twice when a batch was just sent.
SELECT s.name AS subject, format('%s of %s has waited since %s', e.type, e.order_id, e.time) AS detail
FROM subscriptions s CROSS JOIN given CROSS JOIN LATERAL (
  SELECT type, order_id, time FROM events
  WHERE (xid, position) > (s.cursor_xid, s.cursor_position)
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
    AND (s.types = '{}' OR type = ANY (s.types) OR EXISTS (
      SELECT FROM webhook_wanted_types x WHERE s.name = 'webhook/' || x.endpoint_id
        AND x.type = events.type AND events.xid >= x.from_xid AND events.xid < x.until_xid))
  ORDER BY xid, position LIMIT 1
) e
WHERE NOT s.paused AND e.time < now() - grace
  - CASE s.name WHEN 'warehouse-feed' THEN interval '75 seconds' ELSE interval '10 seconds' END;

-- invariant: events_handled
-- title: A built-in subscriber has handled every event before its cursor, or has a dead letter for it
-- holds: settled
-- 60 s: an event that failed with its batch is retried after 5 s and 30 s.
SELECT e.id::text AS subject,
  format('%s of %s was not handled by %s', e.type, e.order_id, e.name) AS detail
FROM (
  SELECT s.name, e.id, e.type, e.order_id
  FROM subscriptions s CROSS JOIN given
  JOIN events e ON (e.xid, e.position) <= (s.cursor_xid, s.cursor_position)
    AND (s.types = '{}' OR e.type = ANY (s.types))
    AND e.time < now() - grace - interval '60 seconds'
  LEFT JOIN consumed_events c ON c.consumer = s.name AND c.event_id = e.id
  LEFT JOIN audit_log a ON s.name = 'audit' AND a.event_id = e.id
  WHERE s.name IN ('audit', 'analytics', 'warehouse-feed') AND c.event_id IS NULL AND a.event_id IS NULL
) e
WHERE NOT EXISTS (
  SELECT FROM dead_letters d WHERE d.source = 'delivery' AND d.subject = e.name AND d.event_id = e.id);

-- invariant: webhooks_handled
-- title: Every event that a webhook endpoint wanted was sent to it, or is a dead letter
-- holds: settled
-- Wanted when it was written, whatever became of the endpoint since. 26 hours: the longest wait for the
-- next attempt. 10,000 attempts are kept per endpoint; what is older than the oldest is not judged.
SELECT s.name || ' ' || e.id AS subject, format('%s of %s was %s', e.type, e.order_id,
  COALESCE('last tried at ' || a.last_at, 'never sent')) AS detail
FROM webhook_endpoints w CROSS JOIN given
JOIN subscriptions s ON s.name = 'webhook/' || w.id
CROSS JOIN LATERAL (
  SELECT CASE WHEN count(*) < 10000 THEN '-infinity' ELSE min(attempted_at) END AS judged_from
  FROM webhook_attempts WHERE endpoint_id = w.id) kept
JOIN webhook_wanted_types x ON x.endpoint_id = w.id
JOIN events e ON e.type = x.type AND e.xid >= x.from_xid AND (x.until_xid IS NULL OR e.xid < x.until_xid)
  AND (e.xid, e.position) <= (s.cursor_xid, s.cursor_position)
  AND e.time > judged_from AND e.time > now() - interval '30 days'
  AND e.time < now() - grace - interval '60 seconds'
LEFT JOIN (
  SELECT endpoint_id, event_id, bool_or(outcome = 'delivered') AS delivered, max(attempted_at) AS last_at
  FROM webhook_attempts GROUP BY endpoint_id, event_id
) a ON a.endpoint_id = w.id AND a.event_id = e.id
WHERE NOT COALESCE(a.delivered, false)
  AND COALESCE(a.last_at, '-infinity') < now() - grace - interval '26 hours'
  AND NOT EXISTS (
    SELECT FROM dead_letters d WHERE d.source = 'delivery' AND d.subject = s.name AND d.event_id = e.id);

-- invariant: sales_counted_once
-- title: The hourly sales figures count each of their events once
-- holds: always
SELECT format('%s %s', sku, to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')) AS subject,
  format('counted %s orders, %s units, %s declines, %s compensations; by the events %s, %s, %s, %s',
    a.orders, a.units, a.declines, a.compensations, e.orders, e.units, e.declines, e.compensations) AS detail
FROM analytics_hourly a FULL JOIN (
  SELECT date_trunc('hour', e.time, 'UTC') AS hour, l.sku, o.currency,
    count(*) FILTER (WHERE e.type = 'order.placed') AS orders,
    COALESCE(sum(l.quantity) FILTER (WHERE e.type = 'order.placed'), 0) AS units,
    COALESCE(sum(l.quantity::bigint * l.unit_price_minor)
      FILTER (WHERE e.type = 'order.placed'), 0) AS revenue_minor,
    count(*) FILTER (WHERE e.type = 'order.declined') AS declines,
    count(*) FILTER (WHERE e.type = 'order.cancelled') AS compensations
  FROM consumed_events c JOIN events e ON e.id = c.event_id
  JOIN orders o ON o.id = e.order_id JOIN order_lines l ON l.order_id = o.id
  WHERE c.consumer = 'analytics' AND e.type IN ('order.placed', 'order.declined', 'order.cancelled')
  GROUP BY 1, 2, 3
) e USING (hour, sku, currency)
WHERE hour > now() - interval '30 days'
  AND (a.orders, a.units, a.revenue_minor, a.declines, a.compensations)
    IS DISTINCT FROM (e.orders, e.units, e.revenue_minor, e.declines, e.compensations)
UNION ALL
SELECT format('%s %s', currency, to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')),
  format('counted %s; by the events %s', s.figures, e.figures)
FROM (
  SELECT hour, currency, format('%s placed, %s declined, %s cancelled, %s shipped, revenue %s, refunded %s',
    orders, declined, cancelled, shipped, revenue_minor, refunded_minor) AS figures FROM sales_hourly
) s FULL JOIN (
  SELECT date_trunc('hour', e.time, 'UTC') AS hour, o.currency,
    format('%s placed, %s declined, %s cancelled, %s shipped, revenue %s, refunded %s',
      count(*) FILTER (WHERE e.type = 'order.placed'),
      count(*) FILTER (WHERE e.type = 'order.declined'),
      count(*) FILTER (WHERE e.type = 'order.cancelled'),
      count(*) FILTER (WHERE e.type = 'order.shipped'),
      COALESCE(sum(o.total_minor) FILTER (WHERE e.type = 'order.placed'), 0),
      COALESCE(sum((e.data ->> 'amount_minor')::bigint)
        FILTER (WHERE e.type IN ('refund.succeeded', 'order.payment_refunded')), 0)
      - COALESCE(sum((e.data ->> 'reversed_minor')::bigint) FILTER (WHERE e.type = 'refund.failed'), 0)) AS figures
  FROM consumed_events c JOIN events e ON e.id = c.event_id JOIN orders o ON o.id = e.order_id
  WHERE c.consumer = 'analytics' AND e.type IN ('order.placed', 'order.declined', 'order.cancelled',
    'order.shipped', 'refund.succeeded', 'order.payment_refunded', 'refund.failed')
  GROUP BY 1, 2
) e USING (hour, currency)
WHERE hour > now() - interval '30 days' AND s.figures IS DISTINCT FROM e.figures;

-- invariant: maintenance_runs
-- title: Maintenance runs: the sweep every minute, the reconciliation every hour
-- holds: settled
SELECT name AS subject, format('last finished at %s', finished_at) AS detail
FROM maintenance_runs JOIN (VALUES ('sweep', interval '3 minutes'), ('reconcile', interval '3 hours'))
  AS kind (name, may_take) USING (name), given
WHERE finished_at < now() - may_take - grace;

-- invariant: messages_processed
-- title: Every acknowledged message of a provider was processed
-- holds: settled
-- 75 s: a payment webhook that our records do not explain yet is classified again for 60 s.
SELECT source || ' ' || id AS subject, format('%s, received at %s', type, received_at) AS detail
FROM inbox, given
WHERE processed_at IS NULL AND received_at < now() - grace - interval '75 seconds';

-- invariant: decisions_audited
-- title: Every decision of an operator is in the audit log
-- holds: always
SELECT d.id AS subject, format('%s by %s, not in the audit log', d.status, d.actor) AS detail
FROM dead_letters d
WHERE d.actor IS NOT NULL AND NOT EXISTS (
  SELECT FROM audit_log a WHERE a.event_id IS NULL
    AND ((a.subject = d.id AND a.action IN ('dead_letter.redriven', 'dead_letter.discarded'))
      OR ('webhook/' || a.subject = d.subject AND a.action = 'webhook_endpoint.deleted')))
UNION ALL
SELECT s.name, 'paused, without an entry in the audit log'
FROM subscriptions s
WHERE s.paused AND 'subscription.paused' IS DISTINCT FROM (
  SELECT a.action FROM audit_log a
  WHERE a.subject = s.name AND a.action IN ('subscription.paused', 'subscription.resumed')
  ORDER BY a.id DESC LIMIT 1);

-- invariant: erased_persons_gone
-- title: Of an erased person nothing is left in what belongs to the orders
-- holds: always
-- The rows of order and customer are held by constraints. Only what is older than the erasure counts: a
-- later refund has a reason again.
SELECT o.id AS subject, 'kept in ' || string_agg(found, ', ' ORDER BY found) AS detail
FROM orders o CROSS JOIN LATERAL (
  SELECT 'payments' FROM payments WHERE order_id = o.id AND payment_method <> 'erased'
  UNION SELECT 'order_terms' FROM order_terms WHERE order_id = o.id
  UNION SELECT 'order_adjustments' FROM order_adjustments WHERE order_id = o.id AND label <> 'erased'
  UNION SELECT 'shipments' FROM shipments WHERE order_id = o.id AND tracking_number <> 'erased'
  UNION SELECT 'refunds' FROM refunds
    WHERE order_id = o.id AND reason <> 'erased' AND requested_at < o.erased_at
  UNION SELECT 'events' FROM events e, jsonb_each_text(e.data) AS member
    WHERE order_id = o.id AND member.key IN ('note', 'tracking_number')
      AND member.value <> 'erased' AND e.time < o.erased_at
  UNION SELECT 'webhook_attempts' FROM events e JOIN webhook_attempts w ON w.event_id = e.id
    WHERE e.order_id = o.id AND w.response IS NOT NULL
  UNION SELECT 'idempotency_keys' FROM idempotency_keys
    WHERE order_id = o.id AND fingerprint <> 'erased'
  UNION SELECT 'inbox' FROM inbox
    WHERE order_id = o.id AND processed_at IS NOT NULL
      AND (payload <> '{}' OR body IS NOT NULL)
  UNION SELECT 'dead_letters' FROM dead_letters WHERE order_id = o.id
    AND (note <> 'erased' AND decided_at < o.erased_at OR jsonb_path_exists(message,
      '$.data ? (@.note != "erased" || @.tracking_number != "erased")'))
  UNION SELECT 'step_attempts' FROM step_attempts
    WHERE order_id = o.id AND last_failed_at < o.erased_at
) AS kept (found)
WHERE o.erased_at IS NOT NULL
GROUP BY o.id
UNION ALL
SELECT o.id, 'not erased, but its customer is' FROM customers c JOIN orders o ON o.customer_id = c.id
WHERE c.email IS NULL AND o.erased_at IS NULL
UNION ALL
SELECT c.id, 'kept in credit_entries' FROM customers c JOIN credit_entries e ON e.customer_id = c.id
WHERE c.email IS NULL AND e.reason <> 'erased';

-- invariant: job_progress
-- title: A job has done no more than there is, and one that succeeded has done everything
-- holds: always
SELECT id AS subject, format('%s: %s of %s done, %s failed, ended at %s', status, done, total, failed,
  finished_at) AS detail
FROM jobs
WHERE done > total OR failed > done OR (status = 'succeeded' AND total IS DISTINCT FROM done)
  OR (status IN ('succeeded', 'failed', 'cancelled')) <> (finished_at IS NOT NULL);

-- invariant: job_chunks
-- title: The pieces of what a job read and wrote have no gap, and are all that it wrote
-- holds: always
-- Older ones are being deleted.
SELECT j.id AS subject, format('%s gaps, %s bytes of %s', COALESCE(c.gaps, 0), COALESCE(c.bytes, 0),
  j.output_bytes) AS detail
FROM jobs j LEFT JOIN (
  SELECT job_id, sum(last + 1 - pieces) AS gaps, sum(bytes) FILTER (WHERE stream <> 'input') AS bytes
  FROM (
    SELECT job_id, stream, max(seq) AS last, count(*) AS pieces, sum(octet_length(body)) AS bytes
    FROM job_chunks GROUP BY job_id, stream) s
  GROUP BY job_id) c ON c.job_id = j.id
WHERE COALESCE(j.finished_at, now()) > now() - interval '30 days'
  AND (c.gaps > 0 OR COALESCE(c.bytes, 0) <> j.output_bytes);

-- invariant: jobs_proceed
-- title: A queued job has a workflow, and one that runs commits batches
-- holds: settled
-- Between two slices a job waits for the others.
SELECT id AS subject, format('%s, no progress since %s', status, progress_at) AS detail
FROM jobs, given
WHERE (status = 'queued' AND workflow_started_at IS NULL AND progress_at < now() - grace)
  OR (status IN ('queued', 'running', 'cancelling')
    AND progress_at < now() - grace - interval '15 minutes');

-- invariant: cursors_within_log
-- title: No cursor is beyond the end of the log, where its subscription would miss new events
-- holds: always
-- It can be after a restore into another cluster, whose transaction numbers start again.
SELECT name AS subject, format('cursor %s, the log ends at %s', cursor_xid,
  pg_snapshot_xmin(pg_current_snapshot())) AS detail
FROM subscriptions WHERE cursor_xid > pg_snapshot_xmin(pg_current_snapshot());

-- invariant: guards_in_place
-- title: The append-only tables are guarded by their triggers
-- holds: always
SELECT guard.name AS subject, CASE WHEN t.oid IS NULL THEN 'missing' ELSE 'disabled' END AS detail
FROM (VALUES ('stock_movements'), ('payment_operations'), ('credit_entries'), ('events'), ('audit_log'))
  AS guarded (relation)
CROSS JOIN LATERAL (SELECT relation || '_append_only' AS name) AS guard
LEFT JOIN pg_trigger t ON t.tgname = guard.name AND t.tgrelid = to_regclass(relation)
WHERE t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A');

-- invariant: no_long_transactions
-- title: No transaction stays open for long, and none waits long for a lock
-- holds: settled
-- No event after the oldest open transaction that has written is readable.
SELECT 'process ' || pid AS subject, format('%s, %s for %s', COALESCE(application_name, ''), state,
  clock_timestamp() - COALESCE(xact_start, query_start)) AS detail
FROM pg_stat_activity, given
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND ((xact_start < clock_timestamp() - max_transaction
      AND (backend_xid IS NOT NULL OR state LIKE 'idle in transaction%'))
    OR (wait_event_type = 'Lock' AND query_start < clock_timestamp() - max_transaction / 2))
UNION ALL
SELECT 'prepared transaction ' || gid, format('prepared at %s', prepared)
FROM pg_prepared_xacts, given
WHERE database = current_database() AND prepared < clock_timestamp() - max_transaction;
