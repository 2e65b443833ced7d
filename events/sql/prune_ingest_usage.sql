WITH old AS (
    DELETE FROM ingest_usage WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM ingest_usage WHERE day < ((statement_timestamp() - %(age)s) AT TIME ZONE 'UTC')::date ORDER BY day LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
