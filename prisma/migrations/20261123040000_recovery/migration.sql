-- What was tried: the failures of a step since somebody last decided about it.
CREATE TABLE step_attempts (
  order_id text NOT NULL REFERENCES orders (id),
  step text NOT NULL,
  attempts integer NOT NULL CHECK (attempts > 0),
  first_failed_at timestamptz(3) NOT NULL DEFAULT now(),
  last_failed_at timestamptz(3) NOT NULL DEFAULT now(),
  last_failure text NOT NULL,
  PRIMARY KEY (order_id, step)
);

-- Until when the provider holds the money, by its own word; null when it gave none.
ALTER TABLE payments ADD COLUMN capture_before timestamptz(3);

-- When the sweep last found a running workflow behind an order that stands still.
ALTER TABLE orders ADD COLUMN checked_at timestamptz(3);

-- The last run of each kind of upkeep, so that one that stopped running is noticed.
CREATE TABLE maintenance_runs (
  name text PRIMARY KEY,
  finished_at timestamptz(3) NOT NULL,
  counts jsonb NOT NULL
);

CREATE TABLE reconciliations (
  id text PRIMARY KEY,
  scope text NOT NULL CHECK (scope IN ('recent', 'full')),
  status text NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
  -- `schedule`, or the API key of who asked.
  actor text NOT NULL,
  window_from timestamptz(3) NOT NULL,
  window_to timestamptz(3) NOT NULL,
  checked jsonb NOT NULL DEFAULT '{}',
  found integer NOT NULL DEFAULT 0,
  resolved integer NOT NULL DEFAULT 0,
  started_at timestamptz(3) NOT NULL DEFAULT now(),
  finished_at timestamptz(3),
  CHECK ((status = 'running') = (finished_at IS NULL)),
  CHECK (window_from < window_to)
);
-- Two at once would only ask the providers twice.
CREATE UNIQUE INDEX reconciliations_one_running ON reconciliations ((true)) WHERE status = 'running';

CREATE TABLE reconciliation_discrepancies (
  id text PRIMARY KEY,
  kind text NOT NULL,
  -- What differs: the provider's reference, or the order.
  subject text NOT NULL,
  order_id text REFERENCES orders (id),
  ours jsonb NOT NULL,
  theirs jsonb NOT NULL,
  first_run text NOT NULL REFERENCES reconciliations (id),
  last_run text NOT NULL REFERENCES reconciliations (id),
  resolved_run text REFERENCES reconciliations (id),
  first_seen_at timestamptz(3) NOT NULL DEFAULT now(),
  last_seen_at timestamptz(3) NOT NULL DEFAULT now(),
  resolved_at timestamptz(3),
  CHECK ((resolved_run IS NULL) = (resolved_at IS NULL))
);
-- One open row per discrepancy, however often it is seen.
CREATE UNIQUE INDEX reconciliation_discrepancies_one_open ON reconciliation_discrepancies (kind, subject)
  WHERE resolved_at IS NULL;
CREATE INDEX reconciliation_discrepancies_first_run ON reconciliation_discrepancies (first_run);
CREATE INDEX reconciliation_discrepancies_resolved_run ON reconciliation_discrepancies (resolved_run);

-- Orders by the time they were made, for a window of them.
CREATE INDEX orders_created_at_idx ON orders USING brin (created_at);
