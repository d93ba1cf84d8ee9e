-- A person took the capture as done by hand: the money is not ours to void or to give up any more,
-- though no capture of ours says so. The decisions so far are in the log, the older in the audit log.
ALTER TABLE payments ADD COLUMN captured_manually boolean NOT NULL DEFAULT false;

UPDATE payments SET captured_manually = true WHERE order_id IN (
  SELECT order_id FROM events
  WHERE type = 'order.attention_resolved' AND data @> '{"step": "capturePayment", "decision": "skip"}'
  UNION
  SELECT subject FROM audit_log
  WHERE action = 'order.attention_resolved'
    AND data @> '{"step": "capturePayment", "decision": "skip"}');
