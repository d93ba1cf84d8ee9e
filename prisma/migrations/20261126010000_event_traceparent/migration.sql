-- The trace of the request that placed the order, with each of its events as its correlation id is.
-- Events of before have none: rows of the log are never changed.
ALTER TABLE events ADD COLUMN traceparent text;
