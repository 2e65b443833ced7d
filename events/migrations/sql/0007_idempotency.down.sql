DROP FUNCTION ingest_claim(uuid, timestamptz, integer[], uuid[], bytea[]);
DROP TABLE idempotency;
