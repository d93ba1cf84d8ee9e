-- What was received long ago and acted on is found without reading the whole inbox.
CREATE INDEX inbox_processed ON inbox (processed_at) WHERE processed_at IS NOT NULL;
