-- When the run's workflow is known to have been started, as orders and refunds have it. One without it
-- was written down by a process that died, or while Temporal was away, and is started by recovery.
ALTER TABLE reconciliations ADD COLUMN workflow_started_at timestamptz(3);
-- Whatever ran before this column began with its workflow.
UPDATE reconciliations SET workflow_started_at = started_at;
