-- The sweep looks at refunds in turns, as it does at orders: the longest unchecked first. The few that
-- are open have an index (refunds_open).
ALTER TABLE refunds ADD COLUMN checked_at timestamptz(3);
