WITH old AS (
    DELETE FROM ingest_latency WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM ingest_latency WHERE second < statement_timestamp() - %(age)s ORDER BY second LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
