-- Money on its way back counts as gone: whatever the code does, more than was captured can neither
-- be given back nor be asked for.
ALTER TABLE payments
  ADD COLUMN refunding_minor integer NOT NULL DEFAULT 0 CHECK (refunding_minor >= 0),
  ADD CONSTRAINT payments_refunding_within_captured CHECK (refunded_minor + refunding_minor <= captured_minor),
  DROP CONSTRAINT payments_status_check,
  ADD CONSTRAINT payments_status_check CHECK (status IN ('authorizing', 'declined', 'authorized',
    'captured', 'partially_refunded', 'voided', 'refunded'));

CREATE TABLE refunds (
  id text PRIMARY KEY,
  order_id text NOT NULL REFERENCES orders (id),
  -- The provider's idempotency key. An order's cancellation has one, so it has one refund.
  key text NOT NULL UNIQUE,
  cause text NOT NULL CHECK (cause IN ('requested', 'order_cancelled')),
  status text NOT NULL CHECK (status IN ('requested', 'needs_attention', 'succeeded', 'failed')),
  amount_minor integer NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  -- A person's words: they stay here, out of events and of Temporal.
  reason text,
  failure_code text,
  provider_reference text,
  workflow_started_at timestamptz(3),
  requested_at timestamptz(3) NOT NULL DEFAULT now(),
  settled_at timestamptz(3),
  CHECK ((cause = 'requested') = (reason IS NOT NULL)),
  CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
  CHECK ((status IN ('succeeded', 'failed')) = (settled_at IS NOT NULL))
);
CREATE INDEX refunds_order_id_idx ON refunds (order_id, id);
CREATE INDEX refunds_open ON refunds (requested_at) WHERE status IN ('requested', 'needs_attention');

-- What cancellations gave back before this table. An id is a prefix and 26 characters of base32.
INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, currency, provider_reference,
  requested_at, settled_at)
SELECT 'rfd_0' || left(md5(r.key), 25), r.order_id, r.key, 'order_cancelled',
  CASE WHEN s.id IS NULL THEN 'requested' ELSE 'succeeded' END, r.amount_minor, r.currency,
  r.provider_reference, r.created_at, s.created_at
FROM payment_operations r
JOIN payments p ON p.order_id = r.order_id AND p.captured_minor > 0
LEFT JOIN payment_operations s ON s.key = r.key AND s.state = 'succeeded'
WHERE r.kind = 'refund' AND r.state = 'requested';
UPDATE payments p SET refunding_minor = r.amount_minor
FROM refunds r WHERE r.order_id = p.order_id AND r.status = 'requested';

ALTER TABLE dead_letters
  DROP CONSTRAINT dead_letters_source_check,
  ADD CONSTRAINT dead_letters_source_check CHECK (source IN ('delivery', 'checkout', 'notification', 'refund'));
